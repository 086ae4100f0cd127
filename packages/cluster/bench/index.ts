export { type BenchRow } from "./bench-row.ts";
export { benchEvents } from "./events.ts";
export { benchMemory } from "./memory.ts";
export { type MoeBenchOptions } from "./moe-plan.ts";
export { benchMoe } from "./moe.ts";
export { benchRecording } from "./recording.ts";
export { benchLongRounds, benchRounds } from "./rounds.ts";
export { benchStart } from "./start.ts";
export { benchScale, benchSteps } from "./steps.ts";
export { shortTimedModel } from "./timed-model.ts";
export { benchTransports } from "./transports.ts";
export {
  compareWork,
  readBaselines,
  type WorkChange,
  type WorkComparison,
  writeBaselines,
} from "./work-baselines.ts";
