// A step run on the emulated cluster, with few of its MoE layers. In steady state every layer takes the same, so a step of
// 61 layers is the one that was run and the layers that are missing. What was published plays no part here.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { defined, invariant, PICOSECONDS_PER_MICROSECOND } from "@windtunnel/base";
import { resolveScenario, runScenario } from "@windtunnel/cluster";
import { gpusOf, openRecording, type Recording, type SpanRecord } from "@windtunnel/trace";
import { DENSE_LAYERS, LAYERS, type StepConditions, stepScenario, v3WithLayers } from "./step-scenario.ts";

/**
 * MoE layers that are run, and those at the beginning that are not part of the mean. From the experts of one layer to those
 * of the next, prefill takes the same from the first layer on, to a ten-thousandth; decode, whose micro-batches have tens of
 * tokens for an expert, varies with the draws by 1 %.
 */
const MOE_LAYERS = { prefill: 2, decode: 6 } as const;
const FILLING = { prefill: 0, decode: 1 } as const;

/** Means over GPUs, in microseconds. */
export interface MeasuredStep {
  /** From the start of a layer's routed experts to the next one's. */
  readonly layerUs: number;
  /** All 61 layers, embedding and head. */
  readonly stepUs: number;
  /** Of one layer, all micro-batches together: from the sending kernel's start to the receiving one's end. */
  readonly dispatchUs: number;
  readonly combineUs: number;
  /** Routed experts of one layer, all micro-batches together. */
  readonly expertsUs: number;
  readonly microBatches: number;
}

/** Runs each step once, however many rows ask for it. */
export class MeasuredSteps {
  readonly #steps = new Map<string, Promise<MeasuredStep>>();

  measure(conditions: StepConditions): Promise<MeasuredStep> {
    const name = JSON.stringify(conditions, Object.keys(conditions).toSorted());
    let step = this.#steps.get(name);
    if (step === undefined) this.#steps.set(name, (step = measureStep(conditions)));
    return step;
  }
}

async function measureStep(conditions: StepConditions): Promise<MeasuredStep> {
  const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-step-"));
  try {
    const moeLayers = MOE_LAYERS[conditions.kind];
    const model = path.join(folder, "config.json");
    writeFileSync(model, JSON.stringify(v3WithLayers(DENSE_LAYERS + moeLayers)));
    const scenario = resolveScenario(stepScenario(conditions, model), { folder });
    const { virtual } = await runScenario(scenario, { outputFolder: folder, exports: false });
    const step = defined(virtual.steps.at(-1), "a step");
    const recording = openRecording(path.join(folder, "recording.bin"));
    try {
      const layer = layerOf(recording, {
        first: DENSE_LAYERS + FILLING[conditions.kind],
        last: DENSE_LAYERS + moeLayers - 1,
      });
      return { ...layer, stepUs: step.us + (LAYERS - DENSE_LAYERS - moeLayers) * layer.layerUs };
    } finally {
      recording.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Layers {
  readonly first: number;
  readonly last: number;
}

/** One layer, mean over those from the first to the one before the last, and over GPUs. */
function layerOf(recording: Recording, layers: Layers): Omit<MeasuredStep, "stepUs"> {
  const gpus = gpusOf(recording.header);
  const sums = { layerUs: 0, dispatchUs: 0, combineUs: 0, expertsUs: 0 };
  let microBatches = 0;
  for (const { id } of gpus) {
    const spans = new Map<string, SpanRecord>();
    for (const record of recording.records(id)) {
      if (record.type !== "span" || record.layer < layers.first || record.layer > layers.last) continue;
      const { name, layer, microBatch } = record;
      const key = `${name} ${layer} ${microBatch}`;
      // Of several, as the parts of a kernel are, sends begin with the first and receives end with the last.
      if (name.endsWith(".send") && spans.has(key)) continue;
      spans.set(key, record);
      microBatches = Math.max(microBatches, microBatch + 1);
    }
    const span = (name: string, layer: number, microBatch: number): SpanRecord =>
      defined(spans.get(`${name} ${layer} ${microBatch}`), `${name} of layer ${layer}`);
    const count = layers.last - layers.first;
    invariant(count > 0, "at least two layers are measured");
    sums.layerUs +=
      (span("mlp.experts", layers.last, 0).start - span("mlp.experts", layers.first, 0).start) / count;
    for (let layer = layers.first; layer < layers.last; layer++) {
      for (let microBatch = 0; microBatch < microBatches; microBatch++) {
        for (const phase of ["dispatch", "combine"] as const) {
          const { start } = span(`${phase}.send`, layer, microBatch);
          sums[`${phase}Us`] += (span(`${phase}.receive`, layer, microBatch).end - start) / count;
        }
        const { start, end } = span("mlp.experts", layer, microBatch);
        sums.expertsUs += (end - start) / count;
      }
    }
  }
  const mean = (sum: number): number => sum / gpus.length / PICOSECONDS_PER_MICROSECOND;
  return {
    layerUs: mean(sums.layerUs),
    dispatchUs: mean(sums.dispatchUs),
    combineUs: mean(sums.combineUs),
    expertsUs: mean(sums.expertsUs),
    microBatches,
  };
}
