// Every function that src/simd-kernels.ts calls. Arguments are byte addresses and counts, checked by the caller.
// The memory is shared by all threads and belongs to src/memory.ts: no function keeps anything in it but constants.
export { dequantizeBF16, quantizeBF16 } from "./bf16";
export { writeConstants } from "./constants";
export { dotRows } from "./dot-rows";
export { dequantizeE4M3, quantizeE4M3 } from "./e4m3";
export { add, addScaledRows, allFinite, sigmoid, swiglu } from "./elementwise";
export { limitLoop, limitLoopApart } from "./limit";
export { matmul } from "./matmul";
export { rmsNorm, rope, softmax } from "./rows";
export { weightedRows } from "./weighted-rows";
