// Published steps beside ours, as parts of the prediction table.

import { defined } from "@windtunnel/base";
import { comparedRow, type FidelityRow, rangeRow, type RowPart } from "../row.ts";
import { breakEven } from "./break-even.ts";
import { layerKernels } from "./layer-kernels.ts";
import { type MeasuredStep, MeasuredSteps } from "./measured-step.ts";
import {
  PUBLISHED_STEPS,
  type PublishedPart,
  type PublishedRatio,
  type PublishedStep,
  sglangDecode,
  type StepMeasure,
} from "./published-steps.ts";
import { positionsOfStep, type StepConditions } from "./step-scenario.ts";

const GPUS_PER_NODE = 8;
const MICROSECONDS_PER_SECOND = 1e6;

const UNITS: Readonly<
  Record<StepMeasure, { readonly unit: string; readonly decimals: number; readonly per: number }>
> = {
  layer: { unit: "ms", decimals: 3, per: 1000 },
  step: { unit: "ms", decimals: 1, per: 1000 },
  perGpu: { unit: "tokens/s", decimals: 0, per: 1 },
  perNode: { unit: "tokens/s", decimals: 0, per: 1 },
};

/** Requests between which the published break-even lies, and within which it is searched. */
const PUBLISHED_BREAK_EVEN: readonly [number, number] = [64, 128];
const SEARCHED = { from: 32, to: 256 };

export function stepParts(): RowPart[] {
  const steps = new MeasuredSteps();
  const parts = [...Map.groupBy(PUBLISHED_STEPS, ({ id }) => id)].map(([id, own]): RowPart => {
    const gated = own.some(({ isGated }) => isGated) ? "" : " (shown)";
    return {
      table: "prediction",
      section: "Layers and steps",
      id,
      title: `${defined(own[0], id).quantity}${gated}`,
      command: `windtunnel validate --only ${id}`,
      rows: async () => {
        const rows: FidelityRow[] = [];
        for (const published of own) rows.push(...(await rowsOf(published, steps)));
        return rows;
      },
    };
  });
  return [...parts, breakEvenPart(steps)];
}

async function rowsOf(
  published: PublishedStep | PublishedRatio,
  steps: MeasuredSteps,
): Promise<FidelityRow[]> {
  if ("over" in published) return [await ratioRow(published, steps)];
  const { quantity, conditions, measure, source, note, parts = [] } = published;
  const measured = await steps.measure(conditions);
  const { unit, decimals, per } = UNITS[measure];
  const row = comparedRow(published.isGated ? "gated" : "shown", {
    quantity,
    published: published.published / per,
    ours: valueOf(published, measured) / per,
    unit,
    decimals,
    source,
    note,
  });
  return [row, ...parts.map((part) => partRow(part, published, measured))];
}

function valueOf({ measure, conditions, acceptedPerStep }: PublishedStep, measured: MeasuredStep): number {
  if (measure === "layer") return measured.layerUs;
  if (measure === "step") return measured.stepUs;
  const perGpu = (MICROSECONDS_PER_SECOND * tokensOf(conditions, acceptedPerStep)) / measured.stepUs;
  return measure === "perGpu" ? perGpu : GPUS_PER_NODE * perGpu;
}

/** Tokens of a GPU that a step gives, or in prefill takes. */
function tokensOf(conditions: StepConditions, acceptedPerStep: number | undefined): number {
  return acceptedPerStep === undefined
    ? positionsOfStep(conditions)
    : conditions.requestsPerGpu * acceptedPerStep;
}

async function ratioRow(published: PublishedRatio, steps: MeasuredSteps): Promise<FidelityRow> {
  const over = await steps.measure(published.over);
  const under = await steps.measure(published.under);
  const ratio =
    (positionsOfStep(published.over) * under.stepUs) / (positionsOfStep(published.under) * over.stepUs);
  const common = {
    quantity: published.quantity,
    ours: ratio,
    unit: "x",
    source: published.source,
    note: published.note,
  };
  if (typeof published.published !== "number")
    return rangeRow({ ...common, range: published.published, decimals: 2 });
  return comparedRow(published.isGated ? "gated" : "shown", {
    ...common,
    published: published.published,
    decimals: 3,
  });
}

const PART_NAMES = {
  dispatch: "dispatch",
  combine: "combine",
  experts: "routed experts",
  core: "attention core",
  products: "other matrix products",
} as const;

function partRow(
  { part, of, us, note }: PublishedPart,
  step: PublishedStep,
  measured: MeasuredStep,
): FidelityRow {
  const kernels = layerKernels(step.conditions);
  const both = {
    dispatch: measured.dispatchUs,
    combine: measured.combineUs,
    experts: measured.expertsUs,
    core: kernels.coreUs,
    products: kernels.productsUs,
  }[part];
  return comparedRow("shown", {
    quantity: `${PART_NAMES[part]} of a layer, ${of === "both" ? "both micro-batches" : "one micro-batch"}`,
    published: us / 1000,
    ours: (of === "both" ? both : both / measured.microBatches) / 1000,
    unit: "ms",
    decimals: 3,
    source: step.source,
    note,
  });
}

function breakEvenPart(steps: MeasuredSteps): RowPart {
  return {
    table: "prediction",
    section: "Layers and steps",
    id: "break-even",
    title: "decode, EP72: requests of a GPU from which on two batches are faster than one",
    command: "windtunnel validate --only break-even",
    rows: async () => [
      rangeRow({
        quantity: "decode, EP72, requests of a GPU from which on two batches are faster than one",
        range: PUBLISHED_BREAK_EVEN,
        ours: await breakEven({ steps, conditions: sglangDecode, ...SEARCHED }),
        unit: "requests",
        decimals: 0,
        source: "lm-sys/lm-sys.github.io, blog/2025-05-05-large-scale-ep.md",
        note: "Searched in steps of 8 requests by running both schedules.",
      }),
    ],
  };
}
