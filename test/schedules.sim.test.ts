// Schedules as published: the order of operations on each stream of a recorded run, beside its table in the literature
// (mechanics §4.1, §4.2, §4.4). Tables are written here as they stand there.

import path from "node:path";
import { gpusOf, openRecording, rankSteps, type RecordedSpan, type SpanName } from "@windtunnel/trace";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./support/folders.ts";
import { runInto } from "./support/runs.ts";
import { writeTimedModel } from "./support/timed-models.ts";

const LAYERS = 6;
/** A layer with steady layers on either side. */
const STEADY = 3;

/** Kernels by the names that the tables use; `host.wait` is no kernel. */
const OPERATIONS: Partial<Record<SpanName, string>> = {
  "attention.project": "ATTN-0",
  "attention.core": "ATTN-1",
  gate: "ATTN-1",
  "mlp.shared": "SHARED",
  "mlp.experts": "MLP",
  "dispatch.layout": "DISPATCH",
  "dispatch.notify": "DISPATCH",
  "dispatch.send": "DISPATCH",
  "dispatch.receive": "DISPATCH",
  "combine.send": "COMBINE",
  "combine.receive": "COMBINE",
};

/** What was recorded of one rank's step on a stream, an operation a line: "ATTN-1(μ0)", with "-1" for the layer before. */
function operationsOf(
  spans: readonly RecordedSpan[],
  stream: string,
  nameOf: (span: RecordedSpan) => string | undefined,
): { name: string; layer: number }[] {
  const operations: { name: string; layer: number }[] = [];
  const ordered = spans.filter((span) => span.stream === stream).toSorted((a, b) => a.sequence - b.sequence);
  for (const span of ordered) {
    const name = nameOf(span);
    if (name === undefined) continue;
    const operation = { name: `${name}(μ${span.microBatch})`, layer: span.layer };
    const last = operations.at(-1);
    if (last?.name !== operation.name || last.layer !== operation.layer) operations.push(operation);
  }
  return operations;
}

/** From an operation of the steady layer to the same one of the next; layers relative to it. */
function oneLayer(operations: readonly { name: string; layer: number }[], first: string): string[] {
  const at = (layer: number): number =>
    operations.findIndex((each) => each.name === first && each.layer === layer);
  expect(at(STEADY), `${first} of layer ${STEADY}`).toBeGreaterThanOrEqual(0);
  return operations.slice(at(STEADY), at(STEADY + 1)).map(({ name, layer }) => {
    const offset = layer - STEADY;
    return offset === 0 ? name : `${name} ${offset > 0 ? "+" : ""}${offset}`;
  });
}

/** Both, side by side, when they differ. */
function expectOrder(recorded: readonly string[], table: readonly string[], what: string): void {
  const width = Math.max(...recorded.map((each) => each.length), 8);
  const lines = Array.from({ length: Math.max(recorded.length, table.length) }, (_, index) => {
    const [left, right] = [recorded[index] ?? "", table[index] ?? ""];
    return `${left.padEnd(width)}  ${left === right ? " " : "≠"}  ${right}`;
  });
  const sideBySide = `${what}\n${"recorded".padEnd(width)}     table\n${lines.join("\n")}`;
  expect(recorded, sideBySide).toEqual(table);
}

async function spansOf(
  run: Record<string, unknown>,
  workload: Record<string, unknown>,
): Promise<RecordedSpan[]> {
  const folder = temporaryFolder();
  const { folder: output } = await runInto(
    folder,
    "run",
    {
      model: { preset: "v3-small" },
      math: "skip",
      timing: { model: writeTimedModel(folder, LAYERS) },
      cluster: { nodes: 2, gpusPerNode: 2 },
      run: { precision: { dispatch: "fp8", combine: "bf16" }, ...run },
      workload: { drawn: workload },
    },
    {},
  );
  const recording = openRecording(path.join(output, "recording.bin"));
  try {
    const [gpu] = gpusOf(recording.header);
    const [step] = [...rankSteps(recording, gpu!.id)];
    return [...step!.spans];
  } finally {
    recording.close();
  }
}

const PROMPTS = { requestsPerGpu: 2, promptTokens: 512, steps: 1 };
const DECODED = { requestsPerGpu: 32, promptTokens: 64, steps: 1 };

/** ATTN as one operation, as prefill's tables have it. */
function prefillName({ name }: RecordedSpan): string | undefined {
  return OPERATIONS[name]?.replace(/^ATTN-.$/, "ATTN");
}

describe("the order of operations equals its table", () => {
  test("dual-batch, with DeepEP's normal kernels (mechanics §4.1)", async () => {
    const run = { phase: "prefill", prefill: { schedule: "dual-batch", dispatch: "normal" } };
    const spans = await spansOf(run, PROMPTS);
    const compute = oneLayer(operationsOf(spans, "compute", prefillName), "ATTN(μ1)");
    expectOrder(
      compute,
      ["ATTN(μ1)", "SHARED(μ0) -1", "ATTN(μ0)", "MLP(μ1)", "MLP(μ0)", "SHARED(μ1)"],
      "compute stream",
    );
    const communication = oneLayer(operationsOf(spans, "communication", prefillName), "DISPATCH(μ1)");
    expectOrder(
      communication,
      ["DISPATCH(μ1)", "DISPATCH(μ0)", "COMBINE(μ1)", "COMBINE(μ0)"],
      "communication stream",
    );
    // 108 SMs compute; of 24 that communicate one half sends and receives, the other forwards.
    const smsOf = (stream: string): number[] => [
      ...new Set(spans.filter((span) => span.stream === stream && span.layer >= 0).map(({ sms }) => sms)),
    ];
    expect([smsOf("compute"), smsOf("communication"), smsOf("forward")]).toEqual([[108], [12], [12]]);
  });

  test("two-batch-sglang in prefill (mechanics §4.4, delta 0)", async () => {
    const run = { phase: "prefill", prefill: { schedule: "two-batch-sglang", dispatch: "normal" } };
    const spans = await spansOf(run, PROMPTS);
    const compute = oneLayer(operationsOf(spans, "compute", prefillName), "ATTN(μ0)");
    // S1 A, S1 B, S2 A, S2 B, and S3 of this layer with S1 of the next: A, then B.
    expectOrder(
      compute,
      ["ATTN(μ0)", "SHARED(μ1) -1", "ATTN(μ1)", "MLP(μ0)", "MLP(μ1)", "SHARED(μ0)"],
      "compute stream",
    );
    const communication = oneLayer(operationsOf(spans, "communication", prefillName), "DISPATCH(μ0)");
    expectOrder(
      communication,
      ["DISPATCH(μ0)", "DISPATCH(μ1)", "COMBINE(μ0)", "COMBINE(μ1)"],
      "communication stream",
    );
    expect(new Set(spans.filter(({ name }) => name === "mlp.experts").map(({ sms }) => sms))).toEqual(
      new Set([112]),
    );
  });

  test("five-stage (mechanics §4.2)", async () => {
    const run = { phase: "decode", decode: { schedule: "five-stage", dispatch: "low-latency" } };
    const spans = await spansOf(run, DECODED);
    const all = oneLayer(
      operationsOf(spans, "compute", ({ name }) =>
        /\.(?:send|receive)$/.test(name) ? name : OPERATIONS[name],
      ),
      "dispatch.send(μ0)",
    );
    // Of the table's kernels, in order; what is in flight leaves before its slot's first kernel and is received where the
    // next one needs it: a dispatch before its MLP, a combine before its micro-batch's next attention.
    const table: readonly (readonly string[])[] = [
      ["dispatch.send(μ0)", "SHARED(μ0)", "combine.receive(μ1) -1", "ATTN-0(μ1)"],
      ["dispatch.receive(μ0)", "MLP(μ0)"],
      ["combine.send(μ0)", "ATTN-1(μ1)"],
      ["dispatch.send(μ1)", "SHARED(μ1)", "combine.receive(μ0)", "ATTN-0(μ0) +1"],
      ["dispatch.receive(μ1)", "MLP(μ1)"],
      ["combine.send(μ1)", "ATTN-1(μ0) +1"],
    ];
    expectOrder(all, table.flat(), "compute stream");
    // All SMs compute: RDMA runs without one.
    expect(new Set(spans.filter(({ layer }) => layer >= 0).map(({ sms }) => sms))).toEqual(new Set([132]));
  });

  test("two-batch-sglang in decode (mechanics §4.4, delta 2)", async () => {
    const run = { phase: "decode", decode: { schedule: "two-batch-sglang", dispatch: "low-latency" } };
    const spans = await spansOf(run, DECODED);
    const recorded = operationsOf(spans, "compute", ({ name, layer }) =>
      layer < 0 ? undefined : /\.(?:send|receive)$/.test(name) ? name : OPERATIONS[name],
    ).map(({ name, layer }) => `${name} ${layer}`);
    // The table's stages; `_a` sends and `_b` receives.
    const stages = [
      ["ATTN-0"],
      ["ATTN-1"],
      ["dispatch.send", "SHARED"],
      ["dispatch.receive", "MLP", "combine.send"],
      ["combine.receive"],
    ];
    const all = (batch: string): string[][] =>
      Array.from({ length: LAYERS }, (_, layer) =>
        stages.map((stage) => stage.map((each) => `${each}(${batch}) ${layer}`)),
      ).flat();
    // A runs `delta` stages ahead, then both take turns until A ends, then B drains.
    const [a, b, delta] = [all("μ0"), all("μ1"), 2];
    const table = a.slice(0, delta);
    for (let next = delta; next < a.length; next++) table.push(a[next]!, b[next - delta]!);
    table.push(...b.slice(b.length - delta));
    expectOrder(recorded, table.flat(), "compute stream");
  });
});
