// Sweeps: one scenario over a grid of values. `planSweep` checks every point, `runSweep` runs those that are not stored.

export { type AxisValue, describePlace, type SweepAxis } from "./axes.ts";
export type { SweepMeasures } from "./measures.ts";
export { planSweep, type SweepPlan, type SweepPoint, type SweepRequest } from "./plan-sweep.ts";
export {
  countStored,
  runSweep,
  type SweepFailure,
  type SweepOptions,
  type SweepProgress,
  type SweepResult,
  type SweepRow,
} from "./run-sweep.ts";
export { writeWhole } from "./store.ts";
