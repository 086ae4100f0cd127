// A tensor is a view of 32-bit floats in the shared WebAssembly memory: its shape, its address and its data.
// It owns nothing; the memory or the arena that made it does. Rows are contiguous (row-major).

import { invariant } from "@windtunnel/base";

export interface Tensor {
  /** Sizes, outermost first; the last dimension is contiguous. */
  readonly shape: readonly number[];
  /** Byte address inside the shared memory; kernels in WebAssembly use it. */
  readonly address: number;
  /** The elements, over the same memory. */
  readonly data: Float32Array;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Rows of a tensor seen as a matrix: everything but the last dimension. */
export function rowCount(tensor: Tensor): number {
  return tensor.data.length === 0
    ? elementCount(tensor.shape.slice(0, -1))
    : tensor.data.length / rowSize(tensor);
}

/** Elements in a row. */
export function rowSize(tensor: Tensor): number {
  const size = tensor.shape.at(-1);
  invariant(size !== undefined, "a tensor has at least one dimension");
  return size;
}

/** Rows [start, end) of a tensor as a matrix, without a copy. */
export function rowsOf(tensor: Tensor, start: number, end: number): Tensor {
  const size = rowSize(tensor);
  invariant(
    start >= 0 && start <= end && end <= rowCount(tensor),
    `rows ${start} to ${end} of ${tensor.shape.join("×")}`,
  );
  return {
    shape: [end - start, size],
    address: tensor.address + start * size * Float32Array.BYTES_PER_ELEMENT,
    data: tensor.data.subarray(start * size, end * size),
  };
}

export function reshaped(tensor: Tensor, shape: readonly number[]): Tensor {
  invariant(elementCount(shape) === tensor.data.length, `${tensor.shape.join("×")} as ${shape.join("×")}`);
  return { shape, address: tensor.address, data: tensor.data };
}
