// Waits that serialise two micro-batches: an exchange of one is waited for while the other, which could have computed, is not
// let to. That is so where nothing of the other runs between sending and receiving, although what it runs next had all that
// it needs. Only time in which the last message is on its way counts: what a slower rank adds is that rank's.

import type { RecordedSpan } from "./record-layout.ts";
import type { Phase, SpanName } from "./records.ts";
import type { RankGraph } from "./step-graph.ts";

export interface SerializedWait {
  readonly phase: Phase;
  readonly microBatch: number;
  readonly layer: number;
  /** Picoseconds without computing, while the other micro-batch could have computed. */
  readonly time: number;
}

/** What an operation of a micro-batch needs of the same layer; a minus: of the layer before. */
const NEEDS: Partial<Record<SpanName, readonly string[]>> = {
  "attention.project": ["-combine.receive", "-mlp.shared"],
  "attention.core": ["attention.project"],
  gate: ["attention.core"],
  "mlp.shared": ["gate"],
  "dispatch.layout": ["gate"],
  "dispatch.send": ["gate"],
  "mlp.experts": ["dispatch.receive"],
  "combine.send": ["mlp.experts"],
};

export function serializedWaits(rank: RankGraph): SerializedWait[] {
  const microBatches = new Set(
    rank.computing.filter(({ layer }) => rank.moeLayers.has(layer)).map(({ microBatch }) => microBatch),
  );
  if (microBatches.size < 2) return [];
  const ends = new Map<string, number>();
  for (const { name, microBatch, layer, end } of rank.spans) {
    const key = `${name} ${microBatch} ${layer}`;
    ends.set(key, Math.max(ends.get(key) ?? 0, end));
  }
  const waits: SerializedWait[] = [];
  for (const received of rank.spans) {
    const { name, microBatch, layer } = received;
    if (!name.endsWith(".receive") || !rank.moeLayers.has(layer)) continue;
    const phase: Phase = name === "dispatch.receive" ? "dispatch" : "combine";
    const sent = ends.get(`${phase}.send ${microBatch} ${layer}`);
    if (sent === undefined || sent >= received.start) continue;
    const time = serialized(rank, { received, sent }, ends);
    if (time > 0) waits.push({ phase, microBatch, layer, time });
  }
  return waits;
}

function serialized(
  rank: RankGraph,
  { received, sent }: { readonly received: RecordedSpan; readonly sent: number },
  ends: ReadonlyMap<string, number>,
): number {
  const { start: until, microBatch } = received;
  let computed = 0;
  for (const span of rank.computing) {
    const inside = Math.min(span.end, until) - Math.max(span.start, sent);
    if (inside <= 0) continue;
    if (span.microBatch !== microBatch) return 0;
    computed += inside;
  }
  // What the other one does next, a kernel of its exchanges included.
  const next = rank.spans.find(
    (span) =>
      span.start >= until &&
      span.microBatch === 1 - microBatch &&
      span.stream === "compute" &&
      rank.moeLayers.has(span.layer),
  );
  if (next === undefined) return 0;
  const { layer, name } = received;
  const phase: Phase = name === "dispatch.receive" ? "dispatch" : "combine";
  const flight = rank.lastFlightOf({ layer, microBatch, phase });
  if (flight === undefined) return 0;
  const from = Math.max(sent, flight.sentAt, readyAt(rank, next, ends));
  return Math.max(0, until - from - computed);
}

/** When the last thing that an operation needs was complete, or had arrived. */
function readyAt(
  rank: RankGraph,
  { name, microBatch, layer }: RecordedSpan,
  ends: ReadonlyMap<string, number>,
): number {
  if (name === "dispatch.receive" || name === "combine.receive") {
    const phase = name === "dispatch.receive" ? "dispatch" : "combine";
    return rank.lastFlightOf({ layer, microBatch, phase })?.arrivedAt ?? 0;
  }
  let ready = 0;
  for (const need of NEEDS[name] ?? []) {
    const isBefore = need.startsWith("-");
    const at = ends.get(`${isBefore ? need.slice(1) : need} ${microBatch} ${isBefore ? layer - 1 : layer}`);
    ready = Math.max(ready, at ?? 0);
  }
  return ready;
}
