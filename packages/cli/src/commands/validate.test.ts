import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createFakeScreen } from "../fake-screen.ts";
import { runProgram } from "../main.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-validate-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function windtunnel(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const screen = createFakeScreen();
  const code = await runProgram(argv, screen);
  return { code, out: screen.printed.join("\n"), err: screen.remarked.join("\n") };
}

interface Row {
  readonly id: string;
  readonly command: string;
  readonly ours: number;
}

async function rowsOf(part: string, table: "prediction" | "identity"): Promise<readonly Row[]> {
  const { code, out } = await windtunnel("validate", "--only", part, "--json");
  expect(code).toBe(0);
  return (JSON.parse(out) as Readonly<Record<string, readonly Row[]>>)[table]!;
}

describe("windtunnel validate", () => {
  test.each(["P2", "RDMA8"])("names the command that measures %s to the same numbers", async (part) => {
    const rows = await rowsOf(part, "prediction");
    const [, ...argv] = rows[0]!.command.split(" ");
    const { out } = await windtunnel(...argv, "--json");
    const { dispatchUs, combineUs } = JSON.parse(out) as Readonly<Record<string, number>>;
    expect(rows.map(({ ours }) => ours)).toEqual([
      expect.closeTo(dispatchUs!, 5),
      expect.closeTo(combineUs!, 5),
    ]);
  });

  test("names the command that counts the topologies", async () => {
    const [first] = await rowsOf("I5", "identity");
    const [, ...argv] = first!.command.split(" ");
    const { out } = await windtunnel(...argv, "--json");
    expect(JSON.parse(out)).toMatchObject({ topologies: [{ endpoints: first!.ours }, {}, {}, {}, {}] });
  });

  test.each(["P2", "I6", "grouped-decode", "links"])("prints %s in at most 100 columns", async (part) => {
    const { code, out, err } = await windtunnel("validate", "--only", part);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/published +ours +error/);
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
  });

  test("refuses parts that there are not, and --only beside what takes all parts", async () => {
    const unknown = await windtunnel("validate", "--only", "P99");
    expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining("allowed: links, LL16")]);
    const beside = await windtunnel("validate", "--only", "P2", "--write", path.join(folder, "page.md"));
    expect([beside.code, beside.err]).toEqual([2, expect.stringContaining("P2 beside --write")]);
  });
});
