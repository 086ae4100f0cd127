// Every function that src/simd-kernels.ts calls. Arguments are byte addresses and counts, checked by the caller.
// The memory is shared by all threads and belongs to src/memory.ts: no function keeps anything in it but constants.
export { dequantizeBF16, quantizeBF16 } from "./bf16";
export { writeConstants } from "./constants";
export { dotRows } from "./dot-rows";
export { drawPacked } from "./drawn-values";
export { dequantizeE4M3, quantizeE4M3 } from "./e4m3";
export { add, allFinite, sigmoid } from "./elementwise";
export { addGatheredRows } from "./gathered-rows";
export { limitLoop, limitLoopApart } from "./limit";
export { groupedMatmul, groupedSwiglu, groupedSwigluE4M3, matmul } from "./matmul";
export { rmsNorm, rope, softmax } from "./rows";
export { topK } from "./top-k";
export { weightedRows } from "./weighted-rows";
