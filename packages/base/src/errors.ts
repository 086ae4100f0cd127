// Errors of a misbehaving world: wrong input, a dead process, a damaged frame, a full disk.
// They carry a code and plain details, so that they survive a thread and a socket.

/** What went wrong, as one of a closed list; the exit code follows from it. */
export type WorldErrorCode =
  | "input" // the user's files or arguments are wrong: exit code 2
  | "oversubscribed" // the model does not fit the emulated GPUs: exit code 2
  | "host-died" // a process or thread of the run ended unexpectedly
  | "frame-damaged" // a frame between hosts failed its length or checksum
  | "deadlock" // nothing can happen any more and programs still wait
  | "time-exhausted" // virtual time passed 2^53 picoseconds
  | "pattern" // a dispatch pattern lost tokens, or broke its own limits
  | "schedule" // a schedule left operations out, or issued them before what they need
  | "numerics" // a NaN or an infinity reached a tensor
  | "sweep" // some points of a sweep failed; the others were run
  | "work-grew" // a benchmark does more work than its committed baseline
  | "disk"; // writing the run failed

export interface WorldErrorDetails {
  /** Where the wrong input stands: a file, and the path of the field inside it. */
  readonly file?: string;
  readonly path?: string;
  readonly [key: string]: unknown;
}

/** The world misbehaved: reported in one message, without a stack trace. */
export class WorldError extends Error {
  override readonly name = "WorldError";
  readonly code: WorldErrorCode;
  readonly details: WorldErrorDetails;

  constructor(code: WorldErrorCode, message: string, details: WorldErrorDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }

  /** 2 where the user must change the input, 1 where the run failed. */
  get exitCode(): 1 | 2 {
    return this.code === "input" || this.code === "oversubscribed" ? 2 : 1;
  }
}

/** Wrong input: says the file, the path of the field, what was found and what is allowed. */
export function inputError(message: string, details: WorldErrorDetails = {}): WorldError {
  return new WorldError("input", message, details);
}

/** An error as plain data, to cross a thread or a socket. */
export interface SerializedError {
  readonly kind: "world" | "bug";
  readonly message: string;
  readonly code?: WorldErrorCode;
  readonly details?: WorldErrorDetails;
  readonly stack?: string;
}

export function serializeError(error: unknown): SerializedError {
  if (error instanceof WorldError) {
    return { kind: "world", message: error.message, code: error.code, details: error.details };
  }
  if (error instanceof Error) {
    return {
      kind: "bug",
      message: error.message,
      ...(error.stack === undefined ? {} : { stack: error.stack }),
    };
  }
  return { kind: "bug", message: String(error) };
}

export function deserializeError(data: SerializedError): Error {
  if (data.kind === "world" && data.code !== undefined) {
    return new WorldError(data.code, data.message, data.details ?? {});
  }
  const error = new Error(data.message);
  if (data.stack !== undefined) error.stack = data.stack;
  return error;
}
