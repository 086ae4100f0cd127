import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Instant, WorldError } from "@windtunnel/base";
import { HostRecording, mergeRecordings } from "@windtunnel/trace";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFakeScreen } from "../fake-screen.ts";
import { configure } from "./export.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-export-"));
const run = path.join(folder, "run");
beforeAll(() => {
  mkdirSync(run);
  const part = path.join(folder, "part");
  const host = new HostRecording(part);
  const gpus = [0, 1].map((rank) => ({ id: rank, kind: "gpu" as const, name: `gpu ${rank}`, rank, node: 0 }));
  for (const { id } of gpus) {
    const place = { step: 0, layer: 0, microBatch: 0 };
    const times = { start: 0 as Instant, end: 2_000_000 as Instant };
    const span = { ...place, ...times, sms: 20, rows: 1, held: 0, cause: { kind: "plan" } } as const;
    host.recorderFor(id).span({ ...span, name: "gate", stream: "compute" });
    host.recorderFor(id).span({ ...span, name: "dispatch.send", stream: "communication" });
    host.recorderFor(id).rankStep({ step: 0, kind: "decode", ...times, requests: 1, tokens: 1 });
  }
  host.close();
  const schema = "windtunnel/recording@2";
  const header = { schema, name: "small", seed: 1, timedModel: "m", gpu: "h800", sms: 132 } as const;
  mergeRecordings({ ...header, processes: gpus }, [part], path.join(run, "recording.bin"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function exported(...argv: string[]): Promise<string> {
  const screen = createFakeScreen();
  const command = new Command("export").exitOverride().configureOutput({ writeErr: () => undefined });
  configure(command, screen);
  await command.parseAsync(argv, { from: "user" });
  return screen.printed.join("\n");
}

describe("windtunnel export", () => {
  test("writes a trace for each rank of a run's folder, and says where", async () => {
    const kineto = path.join(folder, "kineto");
    const out = await exported(run, "--kineto", kineto);
    expect(out).toContain(`2 ranks in ${kineto}: rank-0.json to rank-1.json`);
    expect(out).toContain("HTA_DISABLE_NS_ROUNDING=1");
    const { distributedInfo } = JSON.parse(readFileSync(path.join(kineto, "rank-1.json"), "utf8")) as {
      distributedInfo: unknown;
    };
    expect(distributedInfo).toEqual({ backend: "nccl", rank: 1, world_size: 2 });
  });

  test("takes the recording itself too; --json is the list of files", async () => {
    const kineto = path.join(folder, "json");
    const out = await exported(path.join(run, "recording.bin"), "--kineto", kineto, "--json");
    const files = [path.join(kineto, "rank-0.json"), path.join(kineto, "rank-1.json")];
    expect(JSON.parse(out)).toEqual({ files });
  });

  test.each([
    ["nowhere", "kineto", "nowhere: there is no such file or folder; allowed: the folder of a finished run"],
    [".", "kineto", "the folder holds no recording.bin; allowed: the folder of a finished run"],
    ["a-file/text.txt", "kineto", "is no recording of Windtunnel"],
    ["run", "a-file/text.txt", "can't be written: it is a file"],
    ["run", "a-file/json", "found summary.json; allowed: a folder without other .json or .gz files"],
  ])("refuses %s into %s", async (from, to, expected) => {
    const own = path.join(folder, "a-file");
    mkdirSync(path.join(own, "json"), { recursive: true });
    writeFileSync(path.join(own, "text.txt"), "no recording, but longer than a header's start");
    writeFileSync(path.join(own, "json", "summary.json"), "{}");
    const error: unknown = await exported(path.join(folder, from), "--kineto", path.join(folder, to)).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(WorldError);
    expect((error as WorldError).exitCode).toBe(2);
    expect((error as WorldError).message).toContain(expected);
  });
});
