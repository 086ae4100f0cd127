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

interface Occupied {
  readonly stream: StreamName;
  readonly start: Instant;
  readonly end: Instant;
  readonly sms: number;
}

/** Operations kept to check that overlapping ones share the SMs: more than slices pass beside one long kernel. */
const REMEMBERED = 64;

export class Streams {
  readonly #sms: number;
  readonly #freeAt = new Map<StreamName, Instant>();
  readonly #recent: Occupied[] = [];

  constructor(sms: number) {
    this.#sms = sms;
  }

  freeAt(stream: StreamName): Instant {
    return this.#freeAt.get(stream) ?? RUN_START;
  }

  /** Issues an operation that the host has launched at `launchedAt`. */
  issue(
    stream: StreamName,
    duration: Duration,
    sms: number,
    launchedAt: Instant,
    dependsOn: readonly Dependency[],
  ): Scheduled {
    let start = this.freeAt(stream);
    let cause: Cause = { kind: "stream" };
    // A later precondition wins; at a tie the stream's own order does, then dependencies, then the launch.
    for (const dependency of dependsOn) {
      if (dependency.at > start) ({ at: start, cause } = dependency);
    }
    if (launchedAt > start) {
      start = launchedAt;
      cause = { kind: "launch" };
    }
    const end = (start + duration) as Instant;
    this.#checkShare({ stream, start, end, sms });
    this.#freeAt.set(stream, end);
    return { start, end, cause };
  }

  #checkShare(operation: Occupied): void {
    const beside = this.#recent.filter(
      ({ stream, start, end }) =>
        stream !== operation.stream && start < operation.end && end > operation.start,
    );
    // Each other stream holds the SMs of one operation at a time.
    const held = new Map<StreamName, number>();
    for (const { stream, sms } of beside) held.set(stream, Math.max(held.get(stream) ?? 0, sms));
    const total = [...held.values()].reduce((sum, sms) => sum + sms, operation.sms);
    invariant(total <= this.#sms, `${total} SMs are asked for at once, of ${this.#sms}`);
    this.#recent.push(operation);
    if (this.#recent.length > REMEMBERED) this.#recent.shift();
  }
}
