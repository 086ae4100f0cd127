export { firstDifferingEvent, readEventLogs } from "./event-log.ts";
export { eventLogFile } from "./hosts/run-host-processes.ts";
export { makeFolder } from "./make-folder.ts";
export { type PreparedRun, prepareRun } from "./prepare-run.ts";
export {
  type HostSummary,
  type LatencySummary,
  type RunOptions,
  type RunProgress,
  type StepSummary,
  type Summary,
} from "./result.ts";
export { runScenario } from "./run-scenario.ts";
export * from "./scenario/index.ts";
