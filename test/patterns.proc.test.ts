// Patterns with relays and host waits on threads and processes: where a run's logical processes sit changes no bit of
// it. Two nodes under two leaves, real math, FP8 to the experts and BF16 back.

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { RandomStream } from "@windtunnel/base";
import { afterAll, describe, expect, test } from "vitest";
import { exampleFile } from "./support/folders.ts";
import { drawPrompts, writePrompts } from "./support/prompts.ts";
import { runInto } from "./support/runs.ts";

const folder = mkdtempSync(path.join(tmpdir(), "test-of-windtunnel-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** 9 requests on 8 ranks, of uneven length. */
const prompts = writePrompts(
  folder,
  drawPrompts(new RandomStream(5, "placements"), {
    count: 9,
    longest: 6,
    mostNewTokens: 3,
    vocabularySize: 512,
  }),
);

interface Bits {
  readonly events: string;
  readonly tokens: string;
  readonly recording: string;
  readonly outputs: unknown;
}

async function bitsOn(placement: string, dispatch: string, schedule: string): Promise<Bits> {
  const { folder: runFolder, summary } = await runInto(folder, "run", {
    model: { preset: "v3-tiny" },
    cluster: { nodes: 2, gpusPerNode: 4, fabric: { planes: 4, nodesPerLeaf: 1, spinesPerPlane: 2 } },
    run: {
      prefill: { dispatch },
      decode: { schedule, dispatch },
      precision: { dispatch: "fp8", combine: "bf16" },
    },
    workload: { prompts },
    placement,
  });
  const recording = readFileSync(path.join(runFolder, "recording.bin"));
  const { events, tokens } = summary.digests;
  return {
    events,
    tokens,
    recording: createHash("sha256").update(recording).digest("hex"),
    outputs: summary.outputs,
  };
}

const PATTERNS = ["normal", exampleFile("one-copy-per-rank"), exampleFile("two-hops")].map((dispatch) => ({
  name: path.basename(dispatch, ".ts"),
  dispatch,
}));

describe.each(PATTERNS)("$name", ({ dispatch }) => {
  // Six hosts split both nodes.
  const placements = ["threads:2", "processes:2", ...(dispatch === "normal" ? ["threads:6"] : [])];

  test("gives the same bits on every placement, one operation after the other and in five stages", async () => {
    const tokens = new Set<string>();
    for (const schedule of ["sequential", "five-stage"]) {
      const inline = await bitsOn("inline", dispatch, schedule);
      tokens.add(JSON.stringify(inline.outputs));
      for (const placement of placements) {
        expect(await bitsOn(placement, dispatch, schedule), `${schedule} on ${placement}`).toEqual(inline);
      }
    }
    expect(tokens.size).toBe(1);
  });
});
