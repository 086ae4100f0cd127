// Programs of a process are generators. A program yields a wait and is resumed, inside the event that fulfils it,
// with the instant at which its condition held. It runs ahead of virtual time otherwise.

import {
  after,
  type Duration,
  type Instant,
  invariant,
  latest,
  NEVER,
  NO_TIME,
  RUN_START,
} from "@windtunnel/base";
import type { Outlook, Towards, WaitReport } from "./logical-process.ts";

/** Something that comes true once, at an instant. */
export class Condition {
  #fulfilledAt: Instant | undefined;
  readonly #resume: (() => void)[] = [];

  get fulfilledAt(): Instant | undefined {
    return this.#fulfilledAt;
  }

  /** Comes true and resumes whoever waits. */
  fulfil(at: Instant): void {
    invariant(this.#fulfilledAt === undefined, "a condition is fulfilled twice");
    this.#fulfilledAt = at;
    for (const resume of this.#resume.splice(0)) resume();
  }

  whenFulfilled(resume: () => void): void {
    this.#resume.push(resume);
  }
}

export interface Wait {
  readonly condition: Condition;
  /** For the report when nothing more can happen. */
  readonly what: string;
  readonly missing: () => readonly string[];
  /** Until woken the program sends nothing before this … */
  readonly notBefore: Instant;
  /** … and not sooner than this after waking. */
  readonly quiet: Duration;
  /** The gather of the process that the condition waits for: it can't come true before the gather's last part arrives. */
  readonly gather?: number;
  /** Classes of the processes that parts of it go to first; any unless given. */
  readonly announcedBy?: readonly number[];
  /** As of a `WaitOutlook`. */
  readonly inner?: object;
  readonly end?: { readonly of: object; readonly quiet: Duration };
  /** `quiet` holds towards some only. */
  readonly towards?: Towards;
  /** As of a `WaitOutlook`; and what earlier waits promised is over. */
  readonly isTold?: true;
}

/** A program of a rank: yields waits, is resumed with the instant at which each was over. */
export type Program<Result = void> = Generator<Wait, Result, Instant>;

/** Waits unless the condition holds already; gives the instant at which it came true. */
export function* until(wait: Wait): Program<Instant> {
  const at = wait.condition.fulfilledAt;
  if (at !== undefined) return at;
  return yield wait;
}

/** The earliest instant at which a program sends something: towards some classes, by their index, and towards all others. */
interface Promised {
  readonly to: readonly (Instant | undefined)[];
  readonly others: Instant;
}

const NOTHING: Promised = { to: [], others: RUN_START };

interface Running {
  readonly name: string;
  readonly program: Program;
  wait: Wait | undefined;
  since: Instant;
  promised: Promised;
  /** What its waits promised of those who wait for its end. */
  end: Instant;
}

/** The programs of one process, and what they promise together. */
export class ProgramSet {
  readonly #owner: string;
  readonly #running: Running[] = [];
  #now: Instant = RUN_START;
  #promised = NOTHING;
  #end: Instant = RUN_START;

  constructor(owner: string) {
    this.#owner = owner;
  }

  /** Starts a program; it runs at once, up to its first wait, and under the promise of the program that starts it. */
  start(name: string, program: Program): void {
    this.prepare(name, program)();
  }

  /** The same for later: it keeps the promise that holds now. */
  prepare(name: string, program: Program): () => void {
    const promised = this.#promised;
    return () => {
      const running: Running = { name, program, wait: undefined, since: this.#now, promised, end: RUN_START };
      this.#running.push(running);
      this.#step(running, this.#now);
    };
  }

  /** The process's clock: conditions fulfilled from now on are fulfilled at `now`. */
  advanceTo(now: Instant): void {
    this.#now = now;
  }

  get outlook(): Outlook {
    let notBefore: number = NEVER;
    let quiet: number = NEVER;
    for (const { wait } of this.#running) {
      notBefore = Math.min(notBefore, wait?.notBefore ?? 0);
      quiet = Math.min(quiet, wait?.quiet ?? 0);
    }
    return this.#running.length === 0
      ? { notBefore: RUN_START, quiet: NO_TIME }
      : { notBefore: notBefore as Instant, quiet: quiet as Duration };
  }

  /** What its programs wait for. */
  get waits(): readonly Wait[] {
    return this.#running.flatMap(({ wait }) => (wait === undefined ? [] : [wait]));
  }

  /** What the running program promised towards a class in its waits: the process asserts that nothing is sent before it. */
  promisedTo(classIndex: number): Instant {
    return this.#promised.to[classIndex] ?? this.#promised.others;
  }

  waiting(): WaitReport[] {
    return this.#running.flatMap(({ name, wait, since }) =>
      wait === undefined
        ? []
        : [{ who: `${this.#owner}, ${name}`, what: wait.what, since, missing: wait.missing() }],
    );
  }

  #step(running: Running, at: Instant): void {
    const { wait } = running;
    // Another program may have woken this one, and goes on afterwards under its own promise.
    const outer = { promised: this.#promised, end: this.#end };
    if (wait !== undefined) {
      const overAt = wait.inner === undefined ? at : latest(at, outer.end);
      running.promised = promisedAfter(wait, wait.isTold === true ? NOTHING : running.promised, overAt);
      if (wait.end !== undefined) running.end = latest(running.end, after(at, wait.end.quiet));
    }
    running.wait = undefined;
    this.#promised = running.promised;
    this.#end = running.end;
    let { done, value } = running.program.next(at);
    if (done !== true && !isWait(value)) {
      // A program that was yielded instead of run; thrown where it stands, so that whoever wrote it is told.
      const error = new TypeError("what is yielded is no wait; `yield*` runs a program, `yield` does not");
      ({ done, value } = running.program.throw(error));
    }
    this.#promised = outer.promised;
    this.#end = outer.end;
    if (done === true) {
      this.#running.splice(this.#running.indexOf(running), 1);
      return;
    }
    const next = value as Wait;
    running.wait = next;
    running.since = this.#now;
    next.condition.whenFulfilled(() => this.#step(running, next.condition.fulfilledAt!));
  }
}

/** What a program promises whose wait was over at an instant; what it promised before holds on. */
function promisedAfter({ notBefore, quiet, towards }: Wait, before: Promised, overAt: Instant): Promised {
  const least = (quietFor: Duration): Instant => latest(notBefore, after(overAt, quietFor));
  const beyond = towards === undefined ? quiet : towards.quietBeyond;
  const leastBeyond = typeof beyond === "number" ? least(beyond) : NEVER;
  const others = latest(before.others, leastBeyond);
  if (towards === undefined && before.to.length === 0) return { to: before.to, others };
  const to = before.to.map((instant) => (instant === undefined ? undefined : latest(instant, leastBeyond)));
  for (const each of towards?.classes ?? [])
    to[each] = latest(before.to[each] ?? before.others, least(quiet));
  return { to, others };
}

function isWait(value: unknown): value is Wait {
  return (value as Partial<Wait> | undefined)?.condition instanceof Condition;
}
