import { execFileSync } from "node:child_process";
import process from "node:process";
import { expect, test } from "vitest";
import { peakRssBytes } from "./peak-memory.ts";

const MEGABYTE = 2 ** 20;

test("counts what a process has held, and keeps it", () => {
  const before = peakRssBytes();
  expect(before).toBeGreaterThanOrEqual(process.memoryUsage.rss() / 2);
  let held: Uint8Array | undefined = new Uint8Array(before + 64 * MEGABYTE).fill(1);
  const most = peakRssBytes();
  expect(most).toBeGreaterThan(before + 32 * MEGABYTE);
  held = undefined;
  expect(held).toBeUndefined();
  expect(peakRssBytes()).toBeGreaterThanOrEqual(most);
});

test("counts nothing that a parent held", () => {
  const held = new Uint8Array(400 * MEGABYTE).fill(1);
  const source = `import { peakRssBytes } from ${JSON.stringify(new URL("peak-memory.ts", import.meta.url).href)};
    console.log(peakRssBytes());`;
  const printed = execFileSync(process.execPath, ["--input-type=module", "--eval", source], {
    encoding: "utf8",
  });
  expect(held.length).toBe(400 * MEGABYTE);
  expect(Number(printed)).toBeGreaterThan(10 * MEGABYTE);
  expect(Number(printed)).toBeLessThan(300 * MEGABYTE);
});
