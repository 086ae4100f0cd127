// Which spans of two runs moved, appeared or vanished, and by how much. Spans are matched per rank by layer, micro-batch,
// name and the number of their occurrence; starts are relative to the rank's start of the step. Ranks and layers that only
// one run has are left out. Steps are added one by one, so memory is a few numbers for each name, rank and layer.

import type { RecordedSpan } from "./record-layout.ts";
import { SPAN_NAMES, type SpanName } from "./records.ts";
import type { RankGraph, StepGraph } from "./step-graph.ts";

/** Means over matched spans, moved or not. */
export interface MeanChange {
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

/** The layer whose time, from its first start to its last end, changed most; means over ranks and steps. */
export interface LayerChange {
  readonly layer: number;
  readonly beforeUs: number;
  readonly afterUs: number;
}

export interface SpanChanges {
  /** Names that occur, in the order of the vocabulary. */
  readonly byName: readonly SpanNameChange[];
  /** Null where nothing moved. */
  readonly mostChangedRank: RankChange | null;
  readonly mostChangedLayer: LayerChange | null;
}

/** Sums over matched spans, in picoseconds; sizes without their sign choose the largest. */
interface ChangeSum {
  matched: number;
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

  /** Of both graphs, ranks and layers that both have. */
  addStep(before: StepGraph, after: StepGraph): void {
    const [layersBefore, layersAfter] = [layersOf(before), layersOf(after)];
    const isShared = ({ layer }: RecordedSpan): boolean => layersBefore.has(layer) && layersAfter.has(layer);
    for (const rank of before.ranks) {
      const other = after.rankOf(rank.rank);
      if (other === undefined) continue;
      this.#addRank(rank, other, isShared);
    }
  }

  result(): SpanChanges {
    return {
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

  #addRank(before: RankGraph, after: RankGraph, isShared: (span: RecordedSpan) => boolean): void {
    const ofRank = this.#sumOfRank(before.rank);
    const unmatched = spansByKey(before.spans.filter(isShared));
    for (const [key, spans] of spansByKey(after.spans.filter(isShared))) {
      const known = unmatched.get(key) ?? [];
      unmatched.delete(key);
      const sum = this.#sumOfName(spans[0]!.name);
      const matched = Math.min(known.length, spans.length);
      for (let i = 0; i < matched; i++) {
        const [a, b] = [known[i]!, spans[i]!];
        const start = b.start - after.start - (a.start - before.start);
        const duration = b.end - b.start - (a.end - a.start);
        add(sum, start, duration);
        add(ofRank, start, duration);
        if (start !== 0 || duration !== 0) sum.moved += 1;
      }
      sum.appeared += spans.length - matched;
      sum.vanished += known.length - matched;
    }
    for (const spans of unmatched.values()) this.#sumOfName(spans[0]!.name).vanished += spans.length;
    this.#addLayers(before.spans.filter(isShared), after.spans.filter(isShared));
  }

  #addLayers(before: readonly RecordedSpan[], after: readonly RecordedSpan[]): void {
    const lasted = layerTimes(after);
    for (const [layer, time] of layerTimes(before)) {
      const now = lasted.get(layer);
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

function noChange(): ChangeSum {
  return { matched: 0, start: 0, startSize: 0, duration: 0, durationSize: 0 };
}

function add(sum: ChangeSum, start: number, duration: number): void {
  sum.matched += 1;
  sum.start += start;
  sum.startSize += Math.abs(start);
  sum.duration += duration;
  sum.durationSize += Math.abs(duration);
}

function meansOf({ matched, start, startSize, duration, durationSize }: ChangeSum): MeanChange {
  const count = Math.max(1, matched) * 1e6;
  return {
    meanStartChangeUs: start / count,
    meanDurationChangeUs: duration / count,
    meanStartShiftUs: startSize / count,
    meanDurationShiftUs: durationSize / count,
  };
}

/** Spans of one layer, micro-batch and name, in the order of their recording. */
function spansByKey(spans: readonly RecordedSpan[]): Map<string, RecordedSpan[]> {
  const byKey = new Map<string, RecordedSpan[]>();
  for (const span of spans) {
    const key = `${span.layer} ${span.microBatch} ${span.name}`;
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [span]);
    else known.push(span);
  }
  return byKey;
}

/** From a layer's first start to its last end, in picoseconds. */
function layerTimes(spans: readonly RecordedSpan[]): Map<number, number> {
  const bounds = new Map<number, { start: number; end: number }>();
  for (const { layer, start, end } of spans) {
    if (layer < 0) continue;
    const known = bounds.get(layer);
    if (known === undefined) bounds.set(layer, { start, end });
    else {
      known.start = Math.min(known.start, start);
      known.end = Math.max(known.end, end);
    }
  }
  return new Map([...bounds].map(([layer, { start, end }]) => [layer, end - start]));
}
