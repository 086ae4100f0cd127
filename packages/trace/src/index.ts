// The vocabulary of recordings, and what is made of them. Recording needs `HostRecording` alone.

export {
  type Cause,
  communicates,
  COMMUNICATION_SPANS,
  COMPUTE_SPANS,
  computes,
  type MessageRecord,
  noRecorder,
  type Phase,
  type Place,
  type RankStepRecord,
  type RecordedProcess,
  type Recorder,
  type RecordingHeader,
  type RequestRecord,
  type RequestStepRecord,
  SPAN_NAMES,
  type SpanName,
  type SpanRecord,
  type StepRecord,
  type StreamName,
  STREAMS,
} from "./records.ts";
export { HostRecording, type HostRecordingOptions } from "./recording-writer.ts";
export { type MergedRecording, mergeRecordings } from "./recording-merge.ts";
export { encodeMessageHead, HOP_RECORD_BYTES, MESSAGE_RECORD_BYTES } from "./record-layout.ts";
export type {
  AnyRecord,
  HopRecord,
  RecordedHop,
  RecordedMessage,
  RecordedRankStep,
  RecordedRequest,
  RecordedRequestStep,
  RecordedSpan,
  RecordedStep,
} from "./record-layout.ts";
export {
  type FabricProcess,
  fabricsOf,
  type GpuProcess,
  gpusOf,
  linkNames,
  openRecording,
  type Recording,
  type SchedulerProcess,
  schedulersOf,
} from "./recording-reader.ts";
export { type Exchange, type RankStep, rankSteps } from "./rank-steps.ts";
export { differenceOf, intersectionOf, type Intervals, lengthOf, unionOf, unionOfSets } from "./intervals.ts";
export {
  type Communication,
  type ExchangeOverlap,
  type Overlap,
  overlapOfRun,
  type PlaceOverlap,
  type RankStepOverlap,
  rankStepOverlaps,
  type RunOverlap,
  type StepOverlap,
} from "./overlap.ts";
export { type PerfettoOptions, writePerfetto } from "./perfetto.ts";
export {
  type Environment,
  exportOpenTelemetry,
  type OpenTelemetryOptions,
  type OpenTelemetryResult,
} from "./otlp.ts";
export { type AttributionOptions, attributeStep, type WireOf, wiresOf } from "./attribution.ts";
export { type CauseSegment, type CauseSums, noTime, STEP_CAUSES, type StepCause, totalOf } from "./causes.ts";
export { type CriticalPath, criticalPath, type PathPiece } from "./critical-path.ts";
export {
  type AnalysisOptions,
  analyzeRun,
  type CauseTimes,
  type PathPieceAnalysis,
  type RunAnalysis,
  type StepAnalysis,
} from "./run-analysis.ts";
export { diffRuns, type KindDifference, type RunDiff } from "./run-diff.ts";
export { type RankGraph, type StepGraph, stepGraphs } from "./step-graph.ts";
export type { CausedChange, StepDifference, TimeChange } from "./step-differences.ts";
export type { Suspect } from "./suspects.ts";
export type { WaitFinding } from "./wait-matrix.ts";
export { exportKineto } from "./kineto-export.ts";
export { type KinetoDevice, type KinetoKernel, type KinetoTrace, readKineto } from "./kineto-read.ts";
export {
  type KinetoCommunicationTotal,
  type KinetoDeviceOverlap,
  type KinetoKernelTotal,
  kinetoOverlap,
  type KinetoOverlap,
  type KinetoOverlapOptions,
} from "./kineto-overlap.ts";
export { ATTRIBUTES } from "./span-names.ts";
export {
  checkSelectedRanks,
  type ChosenSelection,
  chooseSelection,
  type NumberSelection,
  parseSelection,
  stepsOf,
  type TraceOptions,
  type TraceSelection,
} from "./trace-selection.ts";
