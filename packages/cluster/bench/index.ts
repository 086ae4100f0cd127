export { type BenchRow } from "./bench-row.ts";
export { benchEvents } from "./events.ts";
export { benchMoe } from "./moe.ts";
export { type MoeBenchOptions } from "./moe-plan.ts";
export { benchTransports } from "./transports.ts";
