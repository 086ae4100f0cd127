import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Instant, WorldError } from "@windtunnel/base";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mergeRecordings } from "./recording-merge.ts";
import { encodeHop, HOP_RECORD_BYTES } from "./record-layout.ts";
import { openRecording } from "./recording-reader.ts";
import { HostRecording } from "./recording-writer.ts";
import type { Recorder } from "./records.ts";
import {
  headerOf,
  type RandomRun,
  recordedRun,
  recordRandomRun,
  SMALL_RUN,
  temporaryFolder,
} from "./test-recordings.ts";

let folder = "";
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A recorder that keeps what it is told: the plain twin of writing and reading. */
function rememberingRecorder(): { readonly records: unknown[]; readonly recorder: Recorder } {
  const records: unknown[] = [];
  const remember = (type: string) => (record: object) => {
    records.push({ type, sequence: records.length, ...record });
    return records.length - 1;
  };
  const recorder: Recorder = {
    span: remember("span"),
    message: remember("message"),
    hop: (source, target, exchange, link, headAt, startAt, endAt) => {
      remember("hop")({ source, target, exchange, link, headAt, startAt, endAt });
    },
    hops: () => expect.unreachable("random runs tell hops one by one"),
    messages: () => expect.unreachable("and messages, too"),
    rankStep: remember("rankStep"),
    step: remember("step"),
    requestStep: remember("requestStep"),
    request: remember("request"),
  };
  return { records, recorder };
}

describe("a recording", () => {
  test("gives back every record of every process, in order", () => {
    const twins = new Map(headerOf(SMALL_RUN).processes.map(({ id }) => [id, rememberingRecorder()]));
    recordRandomRun(SMALL_RUN, (process) => twins.get(process)!.recorder);
    const recording = openRecording(recordedRun(SMALL_RUN, { folder, blockBytes: 300 }).file);
    for (const [process, twin] of twins) {
      expect([...recording.records(process)]).toEqual(twin.records);
      expect(recording.recordCount(process)).toBe(twin.records.length);
    }
    expect(recording.header).toEqual(headerOf(SMALL_RUN));
    expect([...recording.records(999)]).toEqual([]);
    recording.close();
  });

  test("keeps instants up to 2^53 and every cause", () => {
    const file = path.join(folder, "edges");
    const host = new HostRecording(file);
    const latest = (2 ** 53 - 1) as Instant;
    const span = {
      name: "head",
      stream: "forward",
      step: 7,
      layer: -1,
      microBatch: -1,
      sms: 132,
      rows: 2 ** 31 - 1,
      held: 0,
    } as const;
    const causes = [
      { kind: "stream" },
      { kind: "launch" },
      { kind: "message", rank: 2047 },
      { kind: "event", span: 2 ** 40 },
      { kind: "buffer", span: 2 ** 40 },
      { kind: "plan" },
    ] as const;
    for (const cause of causes) {
      host.recorderFor(0).span({ ...span, start: latest, end: latest, cause });
    }
    host.close();
    const target = path.join(folder, "edges-merged");
    mergeRecordings(headerOf(SMALL_RUN), [file], target);
    const recording = openRecording(target);
    expect([...recording.records(0)]).toEqual(
      causes.map((cause, sequence) => ({
        type: "span",
        sequence,
        ...span,
        start: latest,
        end: latest,
        cause,
      })),
    );
    recording.close();
  });

  test("is the same bytes on every placement and block size", () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.nat(1_000_000),
          ranks: fc.integer({ min: 2, max: 5 }),
          steps: fc.integer({ min: 1, max: 4 }),
          layers: fc.integer({ min: 1, max: 4 }),
          microBatches: fc.integer({ min: 1, max: 2 }),
        }),
        (run: RandomRun) => {
          const one = recordedRun(run, { folder, hosts: 1 });
          const others = [
            recordedRun(run, { folder, hosts: 2, blockBytes: 200 }),
            recordedRun(run, { folder, hosts: 5, blockBytes: 5000, openBytes: 0 }),
          ];
          for (const other of others) {
            expect(other.digest).toBe(one.digest);
            expect(readFileSync(other.file).equals(readFileSync(one.file))).toBe(true);
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  test("keeps no more memory for ten times the records", () => {
    const retained = [10, 100].map((steps) => {
      const host = new HostRecording(path.join(folder, "long"), { blockBytes: 4096 });
      let most = 0;
      recordRandomRun({ ...SMALL_RUN, steps }, (process) => {
        most = Math.max(most, host.retainedBytes);
        return host.recorderFor(process);
      });
      most = Math.max(most, host.retainedBytes);
      const written = host.bytesWritten;
      host.close();
      return { most, written };
    });
    expect(retained[1]!.written).toBeGreaterThan(9 * retained[0]!.written);
    // 4 ranks, 2 planes, 1 scheduler: seven open blocks of 4096 bytes at most.
    expect(retained[1]!.most).toBe(retained[0]!.most);
    expect(retained[1]!.most).toBeLessThanOrEqual(7 * 4096);
  });

  test("has the same bytes whether hops are told one by one or are encoded already", () => {
    const [one, many] = [path.join(folder, "hops-one"), path.join(folder, "hops-many")];
    const [first, second] = [one, many].map((file) => new HostRecording(file, { blockBytes: 300 }));
    const encoded = new Uint8Array(8 + 100 * HOP_RECORD_BYTES);
    const view = new DataView(encoded.buffer);
    for (const count of [1, 2, 5, 6, 7, 100]) {
      for (let hop = 0; hop < count; hop++) {
        const [headAt, startAt, endAt] = [hop, hop + 1, 2 ** 40 + hop] as Instant[];
        first!.recorderFor(3).hop(hop, count, 7, hop % 3, headAt!, startAt!, endAt!);
        const at = 8 + hop * HOP_RECORD_BYTES;
        encodeHop(view, at, hop, count, 7, hop % 3, headAt!, startAt!, endAt!);
      }
      second!.recorderFor(3).hops(encoded, 8, count);
    }
    first!.close();
    second!.close();
    expect(readFileSync(many).equals(readFileSync(one))).toBe(true);
  });

  test("with thousands of processes stays within its budget", () => {
    const host = new HostRecording(path.join(folder, "many"), { openBytes: 1024 * 1024 });
    for (let round = 0; round < 50; round++) {
      for (let process = 0; process < 4000; process++) host.recorderFor(process).hop(1, 2, 3, 4, 5, 6, 7);
    }
    // Every process has its first KiB; beyond that nothing is given.
    expect(host.retainedBytes).toBe(4000 * 1024);
    host.close();
  });

  test("refuses impossible records", () => {
    const host = new HostRecording(path.join(folder, "impossible"));
    const recorder = host.recorderFor(0);
    expect(() => recorder.hop(0, 1, 0, 0, 5, 6, 4)).toThrow(/out of order/);
    const step = {
      step: 0,
      kind: "decode",
      start: 2 as Instant,
      end: 1 as Instant,
      requests: 0,
      tokens: 0,
    } as const;
    expect(() => recorder.rankStep(step)).toThrow(/before it starts/);
    host.close();
    // Of a refused record nothing is left in the file.
    const target = path.join(folder, "impossible-merged");
    mergeRecordings(headerOf(SMALL_RUN), [path.join(folder, "impossible")], target);
    const recording = openRecording(target);
    expect(recording.recordCount(0)).toBe(0);
    recording.close();
  });
});

describe("a disk that fails", () => {
  test.runIf(existsSync("/dev/full"))("is an error that says the file and what is saved", () => {
    expect(() => new HostRecording("/dev/full")).toThrow(/\/dev\/full failed after 0 bytes.*free some space/);
    const file = path.join(folder, "host-for-full");
    new HostRecording(file).close();
    try {
      mergeRecordings(headerOf(SMALL_RUN), [file], "/dev/full");
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(WorldError);
      expect((error as WorldError).code).toBe("disk");
      expect((error as WorldError).details).toMatchObject({
        file: "/dev/full",
        savedBytes: 0,
        cause: "ENOSPC",
      });
    }
  });

  test("is an error when the folder is missing", () => {
    expect(() => new HostRecording(path.join(folder, "missing", "file"))).toThrow(/can't create/);
  });
});

describe("a damaged file", () => {
  test("of a host is refused by the merge", () => {
    const { file } = recordedRun(SMALL_RUN, { folder });
    const host = path.join(folder, "host-0");
    const bytes = readFileSync(host);
    const cut = path.join(folder, "host-cut");
    const merge = (content: Uint8Array): void => {
      writeFileSync(cut, content);
      mergeRecordings(headerOf(SMALL_RUN), [cut], `${file}-cut`);
    };
    expect(() => merge(bytes.subarray(0, bytes.length - 1))).toThrow(/host's recording .* is damaged/);
    expect(() => merge(flipped(bytes, bytes.length - 40))).toThrow(/checksum/);
    expect(() => merge(new Uint8Array(3))).toThrow(/damaged/);
  });

  test("cut anywhere is refused as truncated", () => {
    const { file } = recordedRun(SMALL_RUN, { folder });
    const bytes = readFileSync(file);
    const cut = path.join(folder, "cut");
    for (const length of [0, 5, 20, 500, Math.floor(bytes.length / 2), bytes.length - 1]) {
      writeFileSync(cut, bytes.subarray(0, length));
      expect(() => openRecording(cut)).toThrow(/truncated/);
    }
    expect(() => openRecording(cut)).toThrow(WorldError);
  });

  test("with a changed byte is refused where it is read", () => {
    const { file } = recordedRun(SMALL_RUN, { folder });
    const bytes = readFileSync(file);
    const changed = path.join(folder, "changed");
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (at) => {
        writeFileSync(changed, flipped(bytes, at));
        const readAll = (): void => {
          const recording = openRecording(changed);
          try {
            for (const { id } of recording.header.processes) for (const _ of recording.records(id)) continue;
          } finally {
            recording.close();
          }
        };
        expect(readAll).toThrow(WorldError);
      }),
      { numRuns: 60 },
    );
    expect(() => openRecording(path.join(folder, "not there"))).toThrow(/can't read/);
  });
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 0x10;
  return copy;
}
