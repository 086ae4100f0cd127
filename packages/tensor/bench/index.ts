export { benchKernels, type KernelBenchRow } from "./kernels.ts";
