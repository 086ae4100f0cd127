// Rows as they cross the network: F32, BF16, or E4M3 with a scale for every 128 channels (mechanics §1.4). It knows
// numbers, not messages. Rows that stay on their rank are quantised too, so that a token's bits never depend on where
// its experts are.

import { rowCount, rowSize, type Tensor } from "@windtunnel/tensor";
import type { ModelConfig } from "./config.ts";
import type { LayerContext } from "./layer-context.ts";

export interface WirePrecision {
  /** Of rows on their way to experts. */
  readonly dispatch: "f32" | "bf16" | "fp8";
  /** Of experts' outputs on their way back. */
  readonly combine: "f32" | "bf16";
}

export const FULL_PRECISION: WirePrecision = { dispatch: "f32", combine: "f32" };

/** Channels that share a scale. */
const TILE = 128;

export type WireRows =
  | { readonly precision: "f32"; readonly rows: Tensor }
  | { readonly precision: "bf16"; readonly codes: Uint16Array }
  /** codes [rows, size], scales [rows, ceil(size / 128)]: 32 bits each, in either format of the model's scales */
  | { readonly precision: "fp8"; readonly codes: Uint8Array; readonly scales: Float32Array };

interface WireContext extends Pick<LayerContext, "kernels" | "arena"> {
  /** Whose scales FP8 rows get. */
  readonly config: Pick<ModelConfig, "scaleFormat">;
}

/** Bytes of one row's payload, scales included. */
export function wireRowBytes(precision: WirePrecision["dispatch"], size: number): number {
  if (precision === "f32") return 4 * size;
  return precision === "bf16" ? 2 * size : size + 4 * Math.ceil(size / TILE);
}

/** Rows x [rows, size] as the wire carries them. Codes lie in the arena; F32 rows are x itself. */
export function quantizeForWire(
  context: WireContext,
  precision: WirePrecision["dispatch"],
  x: Tensor,
): WireRows {
  const { kernels, arena, config } = context;
  if (precision === "f32") return { precision, rows: x };
  if (precision === "bf16") {
    const codes = arena.halves(x.data.length);
    kernels.quantizeBF16(codes, x);
    return { precision, codes };
  }
  const codes = arena.bytes(x.data.length);
  const scales = arena.tensor([rowCount(x), Math.ceil(rowSize(x) / TILE)]).data;
  kernels.quantizeE4M3(codes, scales, x, config.scaleFormat);
  return { precision, codes, scales };
}

/** Writes to `out` what the receiver reads from `wire`. */
export function dequantizeFromWire(context: WireContext, out: Tensor, wire: WireRows): void {
  const { kernels } = context;
  switch (wire.precision) {
    case "f32":
      out.data.set(wire.rows.data);
      return;
    case "bf16":
      kernels.dequantizeBF16(out, wire.codes);
      return;
    case "fp8":
      kernels.dequantizeE4M3(out, wire.codes, wire.scales);
      return;
  }
}

/** Rounds rows in place, as if they had crossed the wire. */
export function roundAsOnWire(
  context: WireContext,
  precision: WirePrecision["dispatch"],
  rows: Tensor,
): void {
  if (precision === "f32") return;
  context.arena.scope(() => dequantizeFromWire(context, rows, quantizeForWire(context, precision, rows)));
}
