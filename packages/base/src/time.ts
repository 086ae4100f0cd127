// Virtual time: integer picoseconds in a number. An instant and a duration are different types.
// A run ends at 2^53 ps (two and a half hours) with an error, never with a rounded number.

import { invariant } from "./assert.ts";
import { WorldError } from "./errors.ts";

declare const instantBrand: unique symbol;
declare const durationBrand: unique symbol;

/** A point of virtual time, in picoseconds since the start of the run. */
export type Instant = number & { readonly [instantBrand]: true };
/** A length of virtual time, in picoseconds. Never negative. */
export type Duration = number & { readonly [durationBrand]: true };

export const PICOSECONDS_PER_NANOSECOND = 1_000;
export const PICOSECONDS_PER_MICROSECOND = 1_000_000;
export const PICOSECONDS_PER_SECOND = 1_000_000_000_000;

export const RUN_START: Instant = 0 as Instant;
export const NO_TIME: Duration = 0 as Duration;
/** Later than everything: the bound of a host that has nothing left to do. */
export const NEVER: Instant = Number.POSITIVE_INFINITY as Instant;

/** The first instant that a run can't reach: beyond it, integers in a number are rounded. */
const END_OF_TIME = 2 ** 53;

function timeExhausted(): WorldError {
  return new WorldError("time-exhausted", "virtual time passed 2^53 ps (two and a half hours)");
}

/** Refuses an instant that a number can't hold exactly. */
export function checkedInstant(picoseconds: number): Instant {
  if (picoseconds >= END_OF_TIME) throw timeExhausted();
  // No message is made up unless it is needed: this runs for every message on every link.
  if (!(Number.isInteger(picoseconds) && picoseconds >= 0))
    invariant(false, `not an instant: ${picoseconds} ps`);
  return picoseconds as Instant;
}

export function after(instant: Instant, duration: Duration): Instant {
  return checkedInstant(instant + duration);
}

export function latest(a: Instant, b: Instant): Instant {
  return a >= b ? a : b;
}

export function earliest(a: Instant, b: Instant): Instant {
  return a <= b ? a : b;
}

/** Rounds up, so that nothing physical takes no time. */
export function picoseconds(value: number): Duration {
  if (value >= END_OF_TIME) throw timeExhausted();
  if (!(value >= 0)) invariant(false, `not a duration: ${value} ps`);
  return Math.ceil(value) as Duration;
}

export function nanoseconds(value: number): Duration {
  return picoseconds(value * PICOSECONDS_PER_NANOSECOND);
}

export function microseconds(value: number): Duration {
  return picoseconds(value * PICOSECONDS_PER_MICROSECOND);
}

export function seconds(value: number): Duration {
  return picoseconds(value * PICOSECONDS_PER_SECOND);
}

export function toMicroseconds(value: number): number {
  return value / PICOSECONDS_PER_MICROSECOND;
}
