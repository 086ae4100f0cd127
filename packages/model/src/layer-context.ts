// What every layer function needs besides its rows: the model's sizes, the kernels, scratch space and the rotary
// tables. Results live in the caller's scope of the arena; what a function needs in between it gives back.

import type { Arena, Kernels, RopeTables, StridedRows, Tensor } from "@windtunnel/tensor";
import type { ModelConfig } from "./config.ts";

export interface LayerContext {
  readonly config: ModelConfig;
  readonly kernels: Kernels;
  readonly arena: Arena;
  /** For every position that the rows may have. */
  readonly ropeTables: RopeTables;
}

/** Rows at a fixed distance inside `tensor`, the first at element `offset`. */
export function stridedRows(
  tensor: Tensor,
  place: { readonly offset: number; readonly stride: number; readonly rows: number },
): StridedRows {
  // No rows begin nowhere: an offset would point behind the tensor.
  const offset = place.rows === 0 ? 0 : place.offset;
  return {
    rows: place.rows,
    stride: place.stride,
    address: tensor.address + offset * Float32Array.BYTES_PER_ELEMENT,
    data: tensor.data.subarray(offset),
  };
}
