// The plain kernels: loops over 32-bit floats, one operation after the other in the stated order. They define every
// result and are the oracle of the WebAssembly kernels. Clear before fast; no speed is promised.

import { throwAtNonFinite } from "./finite.ts";
import type { Kernels } from "./kernels.ts";
import { add, addGatheredRows, sigmoid } from "./plain/elementwise.ts";
import { dotRows, groupedMatmul, groupedSwiglu, matmul, weightedRows } from "./plain/products.ts";
import { dequantizeBF16, dequantizeE4M3, quantizeBF16, quantizeE4M3 } from "./plain/quantization.ts";
import { rmsNorm, rope, softmax } from "./plain/rows.ts";
import { topK } from "./top-k.ts";

export const plainKernels: Kernels = {
  name: "plain",
  matmul,
  groupedMatmul,
  groupedSwiglu,
  dotRows,
  weightedRows,
  rmsNorm,
  rope,
  softmax,
  sigmoid,
  add,
  addGatheredRows,
  topK,
  checkFinite: throwAtNonFinite,
  quantizeE4M3,
  dequantizeE4M3,
  quantizeBF16,
  dequantizeBF16,
};
