export { type Cargo, plainCargo } from "./cargo.ts";
export { Bounds, PROMISE, promiseLength, QUIET } from "./bounds.ts";
export type { ClassGraph } from "./class-graph.ts";
export { EventDigest } from "./digest.ts";
export { EventLoop, type EventLoopOptions, type EventObserver } from "./event-loop.ts";
export { comesBefore, kindOfKey, rankOfKey, sourceOfKey } from "./event-order.ts";
export { EventQueue } from "./event-queue.ts";
export { Horizons, type Reach } from "./horizons.ts";
export {
  type GatheredParts,
  type HandedSlot,
  type LogicalProcess,
  type Outlook,
  type OutgoingEvent,
  type OwnEvents,
  type ProcessContext,
  type ProcessEvent,
  type Towards,
  type WaitOutlook,
  type WaitReport,
} from "./logical-process.ts";
export { Condition, type Program, ProgramSet, until, type Wait } from "./program.ts";
export {
  deadlockError,
  type HostOutcome,
  type HostState,
  runHost,
  type WindowExchange,
  type WindowMessage,
  type WindowOptions,
} from "./windows.ts";
