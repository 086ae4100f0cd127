export {
  currentConstants,
  EXCHANGE_CONSTANTS,
  type ExchangeConstant,
  type ExchangeConstants,
  MOST,
} from "./calibration/exchange-constants.ts";
export { ExchangeTrials, type FittedFigure, type Trial } from "./calibration/fit-exchanges.ts";
export { renderFidelityDocument } from "./fidelity-document.ts";
export {
  type ComputedPart,
  computeFidelity,
  fidelityData,
  type FidelityOptions,
  fidelityParts,
  type FidelityTables,
} from "./fidelity-tables.ts";
export { errorText, oursText, percent, publishedText, summaryLines } from "./format.ts";
export {
  type ErrorSummary,
  GATES,
  NOISE_FLOOR,
  NOT_YET_PREDICTED,
  type PredictionSummary,
  STEP_GATES,
  TO_BEAT,
} from "./prediction-parts.ts";
export { type FidelityRow, type Judged, type RowPart, type TableName } from "./row.ts";
export {
  type Experiments,
  experimentTexts,
  renderExperimentsDocument,
  runExperiments,
} from "./experiments/experiments-document.ts";
export { type ExperimentText } from "./experiments/experiment.ts";
export { runNodeLimits, savingOf, V3_LIMIT } from "./experiments/node-limit.ts";
export { domainFactor } from "./experiments/nvlink-domain.ts";
export { planeDifference } from "./experiments/planes.ts";
export { ecmpFactor } from "./experiments/routing.ts";
