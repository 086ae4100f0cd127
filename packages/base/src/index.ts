export { defined, invariant, InvariantViolation } from "./assert.ts";
export {
  deserializeError,
  inputError,
  type SerializedError,
  serializeError,
  WorldError,
  type WorldErrorCode,
  type WorldErrorDetails,
} from "./errors.ts";
export { isNamespace, lineOfFile, refuseOwn, shownValue } from "./own-file.ts";
export { floatsOf, integersOf, Payload, payloadOf } from "./payload.ts";
export { mix32, RandomStream, streamKey } from "./random.ts";
export {
  after,
  checkedInstant,
  type Duration,
  earliest,
  type Instant,
  latest,
  microseconds,
  nanoseconds,
  NEVER,
  NO_TIME,
  picoseconds,
  PICOSECONDS_PER_MICROSECOND,
  PICOSECONDS_PER_NANOSECOND,
  PICOSECONDS_PER_SECOND,
  RUN_START,
  seconds,
  toMicroseconds,
} from "./time.ts";
export { cos, exp, log, pow, sin } from "./transcendental.ts";
