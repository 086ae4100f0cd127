// What a timeline shows: the spans and messages of a few ranks while they work on one layer, or a few, of one step. Reads
// no more of a recording than it must, and knows nothing of drawing. Memory: one step of the chosen ranks.

import { inputError } from "@windtunnel/base";
import {
  computes,
  type GpuProcess,
  gpusOf,
  type RankStep,
  rankSteps,
  type RecordedMessage,
  type RecordedSpan,
  type Recording,
} from "@windtunnel/trace";
import { formatRanges } from "./format.ts";

export interface Layers {
  readonly first: number;
  readonly last: number;
}

export interface TimelineOptions {
  /** Missing: the rank that computes longest in these layers, and the one in the middle. */
  readonly ranks?: readonly number[];
  /** Missing: the decode step in the middle, or of prefill where nothing decodes. */
  readonly step?: number;
  /** Missing: the MoE layer in the middle. */
  readonly layers?: Layers;
}

export interface RankTimeline {
  readonly gpu: GpuProcess;
  /** `slowest`, which computes longest, or `median`; empty where the user named the ranks. */
  readonly why: string;
  /** That run, or are in flight to the rank, during the window; also those of other layers. */
  readonly spans: readonly RecordedSpan[];
  readonly messages: readonly RecordedMessage[];
}

export interface TimelineWindow {
  readonly step: number;
  readonly kind: "prefill" | "decode";
  readonly layers: Layers;
  /** Picoseconds: from the first start to the last end of the layers' kernels on the ranks. */
  readonly start: number;
  readonly end: number;
  readonly ranks: readonly RankTimeline[];
}

/** Throws an input error for ranks, steps and layers that the recording does not hold, named as options of `analyze`. */
export function readTimeline(recording: Recording, options: TimelineOptions = {}): TimelineWindow {
  const gpus = gpusOf(recording.header);
  const step = options.step ?? middleStep(recording, gpus);
  const first = stepOf(recording, gpus[0], step);
  const layers = options.layers ?? middleLayer(first);
  const chosen = chooseRanks(recording, gpus, { ranks: options.ranks, step, layers });
  const read = chosen.map(({ gpu, why }) => ({ gpu, why, part: stepOf(recording, gpu, step) }));
  // A host may wait since long before its layer: it does not begin one.
  const inLayers = read.flatMap(({ part }) =>
    part.spans.filter((span) => isOfLayers(span, layers) && span.stream !== "host"),
  );
  if (inLayers.length === 0) throw noSuchLayers(first, layers);
  const start = inLayers.reduce((least, span) => Math.min(least, span.start), Infinity);
  const end = inLayers.reduce((most, span) => Math.max(most, span.end), 0);
  return {
    step,
    kind: first.record?.kind ?? "decode",
    layers,
    start,
    end,
    ranks: read.map(({ gpu, why, part }) => ({
      gpu,
      why,
      // A span of no length lies in the window where it begins.
      spans: part.spans.filter((span) => span.start < end && (span.end > start || span.start >= start)),
      messages: part.messages.filter((message) => message.sentAt < end && message.arrivedAt > start),
    })),
  };
}

export function isOfLayers({ layer }: { readonly layer: number }, { first, last }: Layers): boolean {
  return layer >= first && layer <= last;
}

function middleStep(recording: Recording, gpus: readonly GpuProcess[]): number {
  const steps: Record<"prefill" | "decode", number[]> = { prefill: [], decode: [] };
  for (const { record } of gpus[0] === undefined ? [] : rankSteps(recording, gpus[0].id)) {
    if (record !== undefined) steps[record.kind].push(record.step);
  }
  const from = steps.decode.length > 0 ? steps.decode : steps.prefill;
  const step = from[Math.floor((from.length - 1) / 2)];
  if (step !== undefined) return step;
  throw inputError(`${recording.file}: no step that was finished; allowed: the recording of a finished run`, {
    file: recording.file,
  });
}

function stepOf(recording: Recording, gpu: GpuProcess | undefined, step: number): RankStep {
  const found: number[] = [];
  for (const part of gpu === undefined ? [] : rankSteps(recording, gpu.id)) {
    if (part.step === step && part.record !== undefined) return part;
    if (part.record !== undefined) found.push(part.step);
  }
  throw inputError(`--step: step ${step} is not in ${recording.file}; allowed: ${formatRanges(found)}`, {
    path: "--step",
    found: step,
    allowed: formatRanges(found),
  });
}

/** Without MoE layers, of all. */
function middleLayer({ spans }: RankStep): Layers {
  const moe = new Set(spans.filter(({ name }) => name === "gate").map(({ layer }) => layer));
  const all = new Set(spans.map(({ layer }) => layer).filter((layer) => layer >= 0));
  const layers = [...(moe.size > 0 ? moe : all)].sort((a, b) => a - b);
  const layer = layers[Math.floor((layers.length - 1) / 2)] ?? 0;
  return { first: layer, last: layer };
}

interface ChosenRank {
  readonly gpu: GpuProcess;
  readonly why: string;
}

function chooseRanks(
  recording: Recording,
  gpus: readonly GpuProcess[],
  { ranks, step, layers }: { ranks: readonly number[] | undefined; step: number; layers: Layers },
): ChosenRank[] {
  if (ranks !== undefined) {
    return ranks.map((rank) => {
      const gpu = gpus.find((each) => each.rank === rank);
      if (gpu !== undefined) return { gpu, why: "" };
      const allowed = formatRanges(gpus.map((each) => each.rank).sort((a, b) => a - b));
      throw inputError(`--ranks: rank ${rank} is not in ${recording.file}; allowed: ${allowed}`, {
        path: "--ranks",
        found: rank,
        allowed,
      });
    });
  }
  const byTime = gpus
    .map((gpu) => ({ gpu, time: computingTime(stepOf(recording, gpu, step), layers) }))
    .sort((a, b) => b.time - a.time || a.gpu.rank - b.gpu.rank);
  const longest = { gpu: byTime[0]!.gpu, why: "slowest" };
  if (byTime.length === 1) return [{ ...longest, why: "" }];
  return [longest, { gpu: byTime[Math.floor(byTime.length / 2)]!.gpu, why: "median" }];
}

function computingTime({ spans }: RankStep, layers: Layers): number {
  return spans.reduce(
    (sum, span) => (computes(span) && isOfLayers(span, layers) ? sum + span.end - span.start : sum),
    0,
  );
}

function noSuchLayers({ step, spans }: RankStep, { first, last }: Layers): Error {
  const layers = [...new Set(spans.map(({ layer }) => layer))].filter((layer) => layer >= 0);
  const allowed = formatRanges(layers.sort((a, b) => a - b));
  const found = first === last ? `layer ${first}` : `layers ${first}-${last}`;
  return inputError(`--layer: step ${step} has nothing of ${found}; allowed: ${allowed}`, {
    path: "--layer",
    found,
    allowed,
  });
}
