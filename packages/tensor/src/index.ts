export { type E4M3Rows, type Kernels, type RopeTables, type StridedRows } from "./kernels.ts";
export { createLimitLoops, type LimitLoop, type LimitLoops } from "./limit-loop.ts";
export { Arena, MAX_MEMORY_BYTES, TensorMemory } from "./memory.ts";
export {
  decodeBF16,
  decodeE4M3,
  decodeUE8M0,
  dequantizeBlocks,
  E4M3_MAX,
  E4M3_TILE,
  encodeBF16,
  encodeE4M3,
  scaleE4M3,
  type ScaleFormat,
  scaleUE8M0,
} from "./number-formats.ts";
export { type GatedPair, packedElementCount, type PackedMatrix, packMatrix } from "./packed-matrix.ts";
export { createPackedDrawing, type DrawnValues, type DrawPacked } from "./packed-drawing.ts";
export { plainKernels } from "./plain-kernels.ts";
export { createSimdKernels } from "./simd-kernels.ts";
export { elementCount, reshaped, rowCount, rowSize, rowsOf, type Tensor } from "./tensor.ts";
