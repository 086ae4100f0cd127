export {
  type AllToAllResult,
  checkAllToAll,
  drawnChoices,
  type PhaseResult,
  runAllToAll,
} from "./all-to-all.ts";
export { type AllToAllOptions, withBenchmarkDefaults } from "./all-to-all-options.ts";
export { firstDifferingEvent, readEventLogs } from "./event-log.ts";
export { eventLogFile } from "./hosts/run-host-processes.ts";
export type { LinkGroupLoad } from "./link-loads.ts";
export { makeFolder } from "./make-folder.ts";
export { type PreparedRun, prepareRun } from "./prepare-run.ts";
export { readDataFile } from "./read-data-file.ts";
export {
  type HostSummary,
  type LatencySummary,
  type RunOptions,
  type RunProgress,
  type StepSummary,
  type Summary,
  type UnrecordedSummary,
} from "./result.ts";
export { runScenario, runUnrecorded } from "./run-scenario.ts";
export * from "./scenario/index.ts";
export { scheduleSettings } from "./schedules.ts";
export * from "./sweep/index.ts";
export {
  applyChange,
  type Change,
  defaultChanges,
  parseChanges,
  runWhatIf,
  type WhatIfDifference,
  type WhatIfMeasures,
  type WhatIfOptions,
  type WhatIfOutcome,
  type WhatIfProgress,
  type WhatIfResult,
  type WhatIfStep,
} from "./what-if.ts";
