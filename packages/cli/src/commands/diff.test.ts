import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Instant, WorldError } from "@windtunnel/base";
import { HostRecording, mergeRecordings } from "@windtunnel/trace";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFakeScreen } from "../fake-screen.ts";
import { SCREEN_WIDTH } from "../report/table.ts";
import { configure, type DiffReport } from "./diff.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-diff-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface WrittenRun {
  readonly speed?: number;
  readonly schedule?: string;
  readonly name?: string;
  readonly tokens?: string;
}

const US = 1e6;

/** Two ranks: attention of 30 µs, divided by rank 1's speed, then experts when rank 0's message is there. */
function writeRun(
  run: string,
  { speed = 1, schedule = "sequential", name = "run", tokens = "t" }: WrittenRun,
): void {
  const own = path.join(folder, run);
  mkdirSync(own);
  const part = path.join(own, "part");
  const host = new HostRecording(part);
  const gpus = [0, 1].map((rank) => ({
    id: rank,
    kind: "gpu" as const,
    name: `node 0 · GPU ${rank}`,
    rank,
    node: 0,
  }));
  const nvlink = {
    id: 2,
    kind: "fabric",
    name: "node 0 · NVLink",
    wire: "nvlink",
    links: ["gpu 0 > switch"],
  } as const;
  for (const { id } of gpus) {
    const recorder = host.recorderFor(id);
    const place = { step: 0, layer: 3, microBatch: 0 };
    const usual = { ...place, stream: "compute", sms: 132, rows: 8, held: 0 } as const;
    const span = (start: number, end: number): { start: Instant; end: Instant } => {
      return { start: (start * US) as Instant, end: (end * US) as Instant };
    };
    const attention = 30 / (id === 1 ? speed : 1);
    recorder.span({ ...usual, name: "attention.core", ...span(0, attention), cause: { kind: "plan" } });
    const arrived = Math.max(attention, 40);
    recorder.message({
      ...place,
      phase: "dispatch",
      source: 1 - id,
      sendSpan: 0,
      sendStart: 0 as Instant,
      sentAt: (30 * US) as Instant,
      arrivedAt: (arrived * US) as Instant,
      bytes: 1000,
      queued: 0,
      portQueued: 0,
      relayed: 0,
      transfer: 0,
      slowestProcess: 2,
      slowestLink: 0,
      limitingProcess: 2,
      limitingLink: 0,
    });
    const cause = { kind: "message", rank: 1 - id } as const;
    recorder.span({ ...usual, name: "mlp.experts", ...span(arrived, arrived + 20), cause });
    recorder.rankStep({ step: 0, kind: "decode", ...span(0, arrived + 20), requests: 1, tokens: 8 });
  }
  host.close();
  const schema = "windtunnel/recording@2";
  const header = { schema, name, seed: 1, timedModel: "m", gpu: "h800", sms: 132 } as const;
  const recording = path.join(own, "recording.bin");
  const { digest } = mergeRecordings({ ...header, processes: [...gpus, nvlink] }, [part], recording);
  const overrides = speed === 1 ? {} : { gpus: { 1: { speed } } };
  const scenario = { name, run: { decode: { schedule } }, overrides };
  writeFileSync(path.join(own, "scenario.json"), JSON.stringify(scenario));
  writeFileSync(
    path.join(own, "summary.json"),
    JSON.stringify({ digests: { events: digest, tokens, trace: digest } }),
  );
}

beforeAll(() => {
  writeRun("first", {});
  writeRun("again", {});
  writeRun("renamed", { name: "other" });
  writeRun("other-tokens", { tokens: "u" });
  writeRun("slower", { speed: 0.5, schedule: "five-stage" });
});

async function diffed(...argv: string[]): Promise<string> {
  const screen = createFakeScreen();
  const command = new Command("diff").exitOverride().configureOutput({ writeErr: () => undefined });
  configure(command, screen);
  const named = argv.map((each) => (each.startsWith("--") ? each : path.join(folder, each)));
  await command.parseAsync(named, { from: "user" });
  return screen.printed.join("\n");
}

describe("windtunnel diff", () => {
  test("says of equal runs that nothing differs, and that their digests agree", async () => {
    const text = (await diffed("first", "again")).replaceAll("\n", " ");
    expect(text).toContain("The scenarios are the same.");
    expect(text).toContain("No difference: both recordings hold the same 8 records;");
    expect(text).toContain("the digests of events, tokens and trace agree");
    expect(text).not.toContain("Steps");
  });

  test("says where equal records do not mean equal digests", async () => {
    const renamed = (await diffed("first", "renamed")).replaceAll("\n", " ");
    expect(renamed).toContain("their headers differ (name), and so does the digest of the trace");
    const tokens = (await diffed("first", "other-tokens")).replaceAll("\n", " ");
    expect(tokens).toContain("the same 8 records, but the digests of tokens differ");
  });

  test("tells scenarios, the first record, spans, steps by cause and communication, in 80 columns", async () => {
    const text = await diffed("first", "slower");
    expect(text.split("\n").filter((line) => line.length > SCREEN_WIDTH + folder.length)).toEqual([]);
    expect(text).toContain("The scenarios differ in 2 fields");
    expect(text).toMatch(/run\.decode\.schedule +sequential +five-stage/);
    expect(text).toMatch(/overrides\.gpus +– +\{"1":\{"speed":0\.5\}\}/);
    expect(text).toContain("First record that differs: at 0.000000 µs, node 0 · GPU 1, record 0");
    expect(text).toContain("digests     events differ, tokens agree, trace differ");
    // 30 µs more on one of two ranks; experts begin 20 µs later there.
    expect(text).toMatch(/attention\.core +2 +1 +· +· +· +\+15\.0 µs/);
    expect(text).toMatch(/mlp\.experts +2 +1 +· +· +\+10\.0 µs +·/);
    expect(text).toContain("most changed rank   1:");
    expect(text).toMatch(/decode 0 +60\.0 µs +80\.0 µs +\+20\.0 µs +\+33\.3 % +computing/);
    // Of 80 µs after: rank 0 computes 50 and idles 20, rank 1 computes 80.
    expect(text).toMatch(/computing +50\.000 µs +65\.000 µs +\+15\.000 µs/);
    expect(text).toMatch(/step +60\.000 µs +80\.000 µs +\+20\.000 µs/);
    // [30, 40] is exposed on both before, on rank 0 after; on rank 1 [30, 60] is hidden.
    expect(text).toMatch(/exposed +10\.0 µs +5\.00 µs +-5\.00 µs/);
    // Of 10 µs in flight on each nothing was hidden; after, the 10 and 30 µs are 0 and 30: of 40, 30.
    expect(text).toMatch(/hidden part +0\.0 % +75\.0 % +\+75\.0 points/);
    // Rank 0 computes 50 µs in the layer; rank 1 50 before and 80 after.
    expect(text).toMatch(/most changed layer {2}3: a rank computes 50\.0 µs before, 65\.0 µs after/);
  });

  test("--json is everything as data, with the recording itself in place of its folder", async () => {
    const recording = path.join("slower", "recording.bin");
    const report = JSON.parse(await diffed("first", recording, "--json")) as DiffReport;
    expect(report).toMatchObject({
      schema: "windtunnel/diff@1",
      firstDifference: { process: "node 0 · GPU 1", fields: [{ field: "end" }] },
      scenario: [{ path: "run.decode.schedule" }, { path: "overrides.gpus" }],
      digests: { events: false, tokens: true, trace: false },
      steps: [{ kind: "decode", changePs: 20 * US }],
    });
  });

  test("compares recordings without their folders' other files", async () => {
    const bare = path.join(folder, "bare");
    mkdirSync(bare);
    writeRun("bare/run", {});
    for (const file of ["scenario.json", "summary.json"]) rmSync(path.join(bare, "run", file));
    const text = await diffed("bare/run", "slower");
    expect(text).toContain("Scenarios are not compared: a folder holds no scenario.json.");
    expect(text).not.toContain("digests");
  });

  test("refuses what is no run, as wrong input", async () => {
    const error: unknown = await diffed("first", "nowhere").catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(WorldError);
    expect((error as WorldError).exitCode).toBe(2);
    expect((error as WorldError).message).toContain("nowhere: there is no such file or folder; allowed:");
  });
});
