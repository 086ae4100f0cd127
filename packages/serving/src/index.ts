export { type DrawnRows, type DrawnRouting, DrawnWork, popularitiesOf, RoutingPool } from "./drawn-work.ts";
export { ExecutedWork, type ExecutedWorkOptions } from "./executed-work.ts";
export { type Plan, type PlannedRequest, type StepKind, type StepReport } from "./plan.ts";
export { rankProgram } from "./rank-program.ts";
export { rowBufferBytes } from "./micro-batch-math.ts";
export { type ExecutedModel, type RankSetup, type StepStyle, type TimedModel } from "./rank-setup.ts";
export { type MicroBatchRows, type RankWork, type RowsPlace } from "./rank-work.ts";
export { type LeastKernels, type MoeSteps, type Schedule, type ScheduledMicroBatch } from "./schedule.ts";
export { checkSchedule } from "./schedule-file.ts";
export { dualBatch } from "./schedules/dual-batch.ts";
export { fiveStage } from "./schedules/five-stage.ts";
export { twoBatchSglang } from "./schedules/two-batch-sglang.ts";
export { sequential } from "./schedules/sequential.ts";
export { capturedSize, splitDecode } from "./split-batch.ts";
export { type RequestOutcome, Scheduler, type SchedulerOptions, type StepOutcome } from "./scheduler.ts";
export { layersWithoutMath, mapLayers, type TimedLayer } from "./timed-layers.ts";
export {
  type DrawnWorkload,
  drawRequests,
  positionsOf,
  type Speculation,
  spreadRequests,
  type WorkloadRequest,
} from "./workload.ts";
