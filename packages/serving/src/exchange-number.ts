// Exchanges are numbered from what every rank knows, so that all agree without a word.

import type { Phase } from "@windtunnel/trace";

export interface ExchangePlace {
  readonly step: number;
  readonly layer: number;
  readonly microBatch: number;
  readonly phase: Phase;
}

const MICRO_BATCHES = 2;
const PHASES = 2;

export function exchangeNumber(place: ExchangePlace, layerCount: number): number {
  const layer = place.step * layerCount + place.layer;
  return (layer * MICRO_BATCHES + place.microBatch) * PHASES + (place.phase === "dispatch" ? 0 : 1);
}
