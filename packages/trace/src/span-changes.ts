// Which spans of two runs moved, appeared or vanished, and by how much. Spans are matched per rank by layer, micro-batch,
// name and the number of their occurrence; starts are relative to the rank's start of the step. Ranks and layers that only
// one run has are left out. Steps are added one by one, so memory is a few numbers for each name, rank and layer.

import type { RecordedSpan } from "./record-layout.ts";
import { computes, SPAN_NAMES, type SpanName } from "./records.ts";
import type { RankGraph, StepGraph } from "./step-graph.ts";

/** Means over matched spans, moved or not. */
export interface MeanChange {
  /** What changes are changes of: in the first run, starts since the rank's start of the step. */
  readonly meanStartBeforeUs: number;
  readonly meanDurationBeforeUs: number;
  /** Signed: what one rank gains and another one loses cancels. */
  readonly meanStartChangeUs: number;
  readonly meanDurationChangeUs: number;
  /** The same without signs. */
  readonly meanStartShiftUs: number;
  readonly meanDurationShiftUs: number;
}

/** Spans of one name. */
export interface SpanNameChange extends MeanChange {
  readonly name: SpanName;
  readonly matched: number;
  /** Matched ones of another start or another duration. */
  readonly moved: number;
  readonly appeared: number;
  readonly vanished: number;
}

/** The rank whose spans' durations changed most; where none did, whose starts did. */
export interface RankChange extends MeanChange {
  readonly rank: number;
}

/**
 * The layer whose computing changed most: durations of its computing spans on a rank, summed over micro-batches; means over
 * ranks and steps. Where layers of two micro-batches interleave, the time from a layer's first start to its last end is
 * mostly other layers'.
 */
export interface LayerChange {
  readonly layer: number;
  readonly beforeUs: number;
  readonly afterUs: number;
}

export interface SpanChanges {
  /**
   * Where the runs' numbers of micro-batches differ in a step: its spans of a rank, layer and name are summed in each run and
   * count as one, which starts when the first of them does.
   */
  readonly summedOverMicroBatches: { readonly before: number; readonly after: number } | null;
  /** Names that occur, in the order of the vocabulary. */
  readonly byName: readonly SpanNameChange[];
  /** Null where nothing moved. */
  readonly mostChangedRank: RankChange | null;
  readonly mostChangedLayer: LayerChange | null;
}

/** Sums over matched spans, in picoseconds; sizes without their sign choose the largest. */
interface ChangeSum {
  matched: number;
  startBefore: number;
  durationBefore: number;
  start: number;
  startSize: number;
  duration: number;
  durationSize: number;
}

interface NameSum extends ChangeSum {
  moved: number;
  appeared: number;
  vanished: number;
}

/** Picoseconds, over ranks and steps. */
interface LayerSum {
  before: number;
  after: number;
  count: number;
}

/** Sums the changes of the steps of one kind. */
export class SpanChangeSums {
  readonly #names = new Map<SpanName, NameSum>();
  readonly #ranks = new Map<number, ChangeSum>();
  readonly #layers = new Map<number, LayerSum>();
  #summed: SpanChanges["summedOverMicroBatches"] = null;

  /** Of both graphs, ranks and layers that both have. */
  addStep(before: StepGraph, after: StepGraph): void {
    const [layersBefore, layersAfter] = [layersOf(before), layersOf(after)];
    const isShared = ({ layer }: RecordedSpan): boolean => layersBefore.has(layer) && layersAfter.has(layer);
    const microBatches = { before: microBatchCount(before), after: microBatchCount(after) };
    const isSummed = microBatches.before !== microBatches.after;
    if (isSummed) this.#summed ??= microBatches;
    for (const rank of before.ranks) {
      const other = after.rankOf(rank.rank);
      if (other === undefined) continue;
      this.#addRank(sharedOf(rank, isShared), sharedOf(other, isShared), isSummed);
    }
  }

  result(): SpanChanges {
    return {
      summedOverMicroBatches: this.#summed,
      byName: SPAN_NAMES.flatMap((name) => {
        const sum = this.#names.get(name);
        if (sum === undefined) return [];
        const { matched, moved, appeared, vanished } = sum;
        return [{ name, matched, moved, appeared, vanished, ...meansOf(sum) }];
      }),
      mostChangedRank: this.#mostChangedRank(),
      mostChangedLayer: this.#mostChangedLayer(),
    };
  }

  #addRank(before: SharedSpans, after: SharedSpans, isSummed: boolean): void {
    const ofRank = this.#sumOfRank(before.rank);
    const unmatched = stretchesByKey(before, isSummed);
    for (const [key, stretches] of stretchesByKey(after, isSummed)) {
      const known = unmatched.get(key) ?? [];
      unmatched.delete(key);
      const sum = this.#sumOfName(stretches[0]!.name);
      const matched = Math.min(known.length, stretches.length);
      for (let i = 0; i < matched; i++) {
        const [a, b] = [known[i]!, stretches[i]!];
        add(sum, a, b);
        add(ofRank, a, b);
        if (a.start !== b.start || a.duration !== b.duration) sum.moved += 1;
      }
      sum.appeared += stretches.length - matched;
      sum.vanished += known.length - matched;
    }
    for (const stretches of unmatched.values()) {
      this.#sumOfName(stretches[0]!.name).vanished += stretches.length;
    }
    this.#addLayers(before.spans, after.spans);
  }

  #addLayers(before: readonly RecordedSpan[], after: readonly RecordedSpan[]): void {
    const computed = computingByLayer(after);
    for (const [layer, time] of computingByLayer(before)) {
      const now = computed.get(layer);
      if (now === undefined) continue;
      let sum = this.#layers.get(layer);
      if (sum === undefined) this.#layers.set(layer, (sum = { before: 0, after: 0, count: 0 }));
      sum.before += time;
      sum.after += now;
      sum.count += 1;
    }
  }

  #sumOfName(name: SpanName): NameSum {
    let sum = this.#names.get(name);
    if (sum === undefined) {
      this.#names.set(name, (sum = { ...noChange(), moved: 0, appeared: 0, vanished: 0 }));
    }
    return sum;
  }

  #sumOfRank(rank: number): ChangeSum {
    let sum = this.#ranks.get(rank);
    if (sum === undefined) this.#ranks.set(rank, (sum = noChange()));
    return sum;
  }

  #mostChangedRank(): RankChange | null {
    const largest = (sizeOf: (sum: ChangeSum) => number): RankChange | null => {
      let found: readonly [number, ChangeSum] | undefined;
      for (const entry of this.#ranks) {
        if (sizeOf(entry[1]) > (found === undefined ? 0 : sizeOf(found[1]))) found = entry;
      }
      return found === undefined ? null : { rank: found[0], ...meansOf(found[1]) };
    };
    return largest((sum) => sum.durationSize) ?? largest((sum) => sum.startSize);
  }

  #mostChangedLayer(): LayerChange | null {
    let found: LayerChange | null = null;
    let largest = 0;
    for (const [layer, { before, after, count }] of [...this.#layers].sort(([a], [b]) => a - b)) {
      const size = Math.abs(after - before) / count;
      if (size <= largest) continue;
      largest = size;
      found = { layer, beforeUs: before / count / 1e6, afterUs: after / count / 1e6 };
    }
    return found;
  }
}

/** Layers in which any rank did something; -1 for what belongs to none. */
export function layersOf(graph: StepGraph): ReadonlySet<number> {
  const layers = new Set<number>();
  for (const { spans } of graph.ranks) for (const { layer } of spans) layers.add(layer);
  return layers;
}

/** Into how many a step's batch is cut. */
function microBatchCount(graph: StepGraph): number {
  const microBatches = new Set<number>();
  for (const { spans } of graph.ranks) for (const { microBatch } of spans) microBatches.add(microBatch);
  microBatches.delete(-1);
  return microBatches.size;
}

/** A rank's spans of layers that both runs have, and its start of the step. */
interface SharedSpans {
  readonly rank: number;
  readonly start: number;
  readonly spans: readonly RecordedSpan[];
}

function sharedOf({ rank, start, spans }: RankGraph, isShared: (span: RecordedSpan) => boolean): SharedSpans {
  return { rank, start, spans: spans.filter(isShared) };
}

/** A span, or several as one; picoseconds, since the rank's start of the step. */
interface Stretch {
  readonly name: SpanName;
  start: number;
  duration: number;
}

/** Spans of one layer, micro-batch and name, in the order of their recording; of all micro-batches as one where summed. */
function stretchesByKey({ start: origin, spans }: SharedSpans, isSummed: boolean): Map<string, Stretch[]> {
  const byKey = new Map<string, Stretch[]>();
  for (const { layer, microBatch, name, start, end } of spans) {
    const key = isSummed ? `${layer} ${name}` : `${layer} ${microBatch} ${name}`;
    const stretch = { name, start: start - origin, duration: end - start };
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [stretch]);
    else if (isSummed) {
      const [sum] = known;
      sum!.start = Math.min(sum!.start, stretch.start);
      sum!.duration += stretch.duration;
    } else known.push(stretch);
  }
  return byKey;
}

function noChange(): ChangeSum {
  return {
    matched: 0,
    startBefore: 0,
    durationBefore: 0,
    start: 0,
    startSize: 0,
    duration: 0,
    durationSize: 0,
  };
}

function add(sum: ChangeSum, before: Stretch, after: Stretch): void {
  const start = after.start - before.start;
  const duration = after.duration - before.duration;
  sum.matched += 1;
  sum.startBefore += before.start;
  sum.durationBefore += before.duration;
  sum.start += start;
  sum.startSize += Math.abs(start);
  sum.duration += duration;
  sum.durationSize += Math.abs(duration);
}

function meansOf(sum: ChangeSum): MeanChange {
  const count = Math.max(1, sum.matched) * 1e6;
  return {
    meanStartBeforeUs: sum.startBefore / count,
    meanDurationBeforeUs: sum.durationBefore / count,
    meanStartChangeUs: sum.start / count,
    meanDurationChangeUs: sum.duration / count,
    meanStartShiftUs: sum.startSize / count,
    meanDurationShiftUs: sum.durationSize / count,
  };
}

/** Durations of computing spans, in picoseconds. */
function computingByLayer(spans: readonly RecordedSpan[]): Map<number, number> {
  const times = new Map<number, number>();
  for (const span of spans) {
    if (span.layer < 0 || !computes(span)) continue;
    times.set(span.layer, (times.get(span.layer) ?? 0) + span.end - span.start);
  }
  return times;
}
