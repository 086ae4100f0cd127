// The recordings in traces/ are what their scenarios give today, byte for byte, and say what docs say of them.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { analyzeRun, openRecording, overlapOfRun } from "@windtunnel/trace";
import { afterAll, expect, test } from "vitest";
import { caseNames, recordCase } from "./record.ts";

const folder = import.meta.dirname;
const today = mkdtempSync(path.join(tmpdir(), "windtunnel-traces-"));
afterAll(() => rmSync(today, { recursive: true }));

function opened<Result>(name: string, read: (recording: ReturnType<typeof openRecording>) => Result): Result {
  const recording = openRecording(path.join(folder, `${name}.bin`));
  try {
    return read(recording);
  } finally {
    recording.close();
  }
}

test.each(caseNames())("%s is what its scenario gives; `npm run traces` records it anew", async (name) => {
  const recorded = readFileSync(await recordCase(name, today));
  expect(recorded.equals(readFileSync(path.join(folder, `${name}.bin`)))).toBe(true);
});

test("the slow GPU is named, as the column of waits that it is", () => {
  const { suspects, waits, byKind } = opened("decode-slow-gpu", (recording) => analyzeRun(recording));
  expect(suspects[0]).toMatchObject({ kind: "slow-gpu", rank: 5 });
  expect(suspects[0]!.factor).toBeCloseTo(1 / 0.77, 2);
  expect(waits.findings[0]).toMatchObject({ kind: "column", source: 5 });
  expect(byKind.decode!.causesUs["slower-rank"]).toBeGreaterThan(0.1 * byKind.decode!.us);
});

test.each(["prefill-dual-batch", "decode-five-stage", "decode-two-batch-sglang"])(
  "%s hides most of its communication, and nothing is suspect",
  (name) => {
    const [analysis, overlap] = opened(name, (recording) => [analyzeRun(recording), overlapOfRun(recording)]);
    expect(analysis.suspects).toEqual([]);
    expect(overlap.communication.hiddenFraction).toBeGreaterThan(0.8);
  },
);
