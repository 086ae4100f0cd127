// I3 and I4: the least time that dispatch and combine of decoding can take, by bytes and bandwidth alone (ISCA'25 paper,
// §2.3.2). Bytes are the wire's, without the scales of FP8 rows; their time on a link is the emulated link's.

import { microseconds, toMicroseconds } from "@windtunnel/base";
import { ACTIVATION_BYTES, WEIGHT_BYTES } from "@windtunnel/gpu";
import { findPreset } from "@windtunnel/model";
import { LinkTable } from "@windtunnel/network-plane";
import { exactRow, type FidelityRow, type Printed } from "../row.ts";

/** As the paper counts: eight experts and the shared one, 7K taken as 7,000. */
const TOKENS = 32;
const COPIES = 9;
const HIDDEN = 7000;
/** Micro-batches that follow one another in a layer. */
const MICRO_BATCHES = 2;

interface Floor {
  readonly stepUs: number;
  readonly layerUs: number;
  readonly tokenMs: number;
  readonly tokensPerSecond: number;
}

export function communicationFloor(bytesPerSecond: number): Floor {
  const bytes = TOKENS * COPIES * HIDDEN * (WEIGHT_BYTES.fp8 + ACTIVATION_BYTES);
  const link = { name: "link", cable: "link", bytesPerSecond, latency: microseconds(1) };
  const stepUs = toMicroseconds(new LinkTable([link]).transferTime(0, bytes));
  const layerUs = MICRO_BATCHES * stepUs;
  const tokenMs = (findPreset("deepseek-v3").config.layerCount * layerUs) / 1e3;
  return { stepUs, layerUs, tokenMs, tokensPerSecond: 1e3 / tokenMs };
}

const SOURCE = "ISCA'25 paper, §2.3.2";

export function infinibandFloorRows(): FidelityRow[] {
  const { stepUs, layerUs, tokenMs, tokensPerSecond } = communicationFloor(50e9);
  return [
    row("dispatch and combine of a micro-batch, 50 GB/s", 120.96, stepUs, "µs", 2),
    row("the same of a layer, two micro-batches", 241.92, layerUs, "µs", 2),
    row("time of a token, 61 layers", 14.76, tokenMs, "ms", 2),
    row("tokens in a second", 67, tokensPerSecond, "tokens/s", 1, Math.floor, "The paper rounds down."),
  ];
}

export function nvlinkFloorRows(): FidelityRow[] {
  const { stepUs, tokenMs, tokensPerSecond } = communicationFloor(900e9);
  const hundreds: Printed = (value) => 100 * Math.round(value / 100);
  return [
    row("dispatch and combine of a micro-batch, 900 GB/s", 6.72, stepUs, "µs", 2),
    row("time of a token, 61 layers", 0.82, tokenMs, "ms", 2),
    row("tokens in a second", 1200, tokensPerSecond, "tokens/s", 0, hundreds, 'The paper says "about 1200".'),
  ];
}

function row(
  quantity: string,
  published: number,
  ours: number,
  unit: string,
  decimals: number,
  printed?: Printed,
  note?: string,
): FidelityRow {
  return exactRow({ quantity, published, ours, unit, decimals, source: SOURCE, note }, printed);
}
