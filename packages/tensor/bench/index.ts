export { benchMatmul, type MatmulBenchRow } from "./matmul.ts";
