// The streams of a GPU: operations on one stream run in the order of their issue, different streams run side by side
// as long as the SMs suffice. Pure bookkeeping of instants; nothing here is an event.

import { type Duration, type Instant, invariant, RUN_START } from "@windtunnel/base";
import type { Cause, StreamName } from "@windtunnel/trace";

/** Something that must be complete before an operation starts. */
export interface Dependency {
  readonly at: Instant;
  readonly cause: Cause;
}

export interface Scheduled {
  readonly start: Instant;
  readonly end: Instant;
  readonly cause: Cause;
}

const BY_STREAM: Cause = { kind: "stream" };
const BY_LAUNCH: Cause = { kind: "launch" };
/** Operations of a stream that are kept to check that overlapping ones share the SMs: a power of two. */
const REMEMBERED = 64;

/** A stream: when it is free, and its last operations, which follow one another. */
class Track {
  freeAt: Instant = RUN_START;
  readonly #starts = new Float64Array(REMEMBERED);
  readonly #ends = new Float64Array(REMEMBERED);
  readonly #sms = new Int32Array(REMEMBERED);
  #count = 0;

  add(start: Instant, end: Instant, sms: number): void {
    const at = this.#count++ % REMEMBERED;
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#sms[at] = sms;
    this.freeAt = end;
  }

  /** The most SMs that one of its operations holds between two instants. */
  heldBetween(start: Instant, end: Instant): number {
    let held = 0;
    const oldest = Math.max(0, this.#count - REMEMBERED);
    for (let index = this.#count - 1; index >= oldest; index--) {
      const at = index % REMEMBERED;
      if (this.#ends[at]! <= start) break;
      if (this.#starts[at]! < end && this.#sms[at]! > held) held = this.#sms[at]!;
    }
    return held;
  }
}

export class Streams {
  readonly #sms: number;
  readonly #tracks = new Map<StreamName, Track>();

  constructor(sms: number) {
    this.#sms = sms;
  }

  freeAt(stream: StreamName): Instant {
    return this.#tracks.get(stream)?.freeAt ?? RUN_START;
  }

  /** Issues an operation that the host has launched at `launchedAt`. */
  issue(
    stream: StreamName,
    duration: Duration,
    sms: number,
    launchedAt: Instant,
    dependsOn: readonly Dependency[],
  ): Scheduled {
    let track = this.#tracks.get(stream);
    if (track === undefined) this.#tracks.set(stream, (track = new Track()));
    let start = track.freeAt;
    let cause: Cause = BY_STREAM;
    // A later precondition wins; at a tie the stream's own order does, then dependencies, then the launch.
    for (const dependency of dependsOn) {
      if (dependency.at > start) ({ at: start, cause } = dependency);
    }
    if (launchedAt > start) {
      start = launchedAt;
      cause = BY_LAUNCH;
    }
    const end = (start + duration) as Instant;
    // Each other stream holds the SMs of one operation at a time.
    let total = sms;
    for (const other of this.#tracks.values()) if (other !== track) total += other.heldBetween(start, end);
    if (total > this.#sms) invariant(false, `${total} SMs are asked for at once, of ${this.#sms}`);
    track.add(start, end, sms);
    return { start, end, cause };
  }
}
