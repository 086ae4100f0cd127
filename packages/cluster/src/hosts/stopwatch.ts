// The wall clock and the processor's, for the summary's `wall` and nothing else.

import process from "node:process";

/** Starts now; gives the seconds since. */
export function startStopwatch(): () => number {
  const started = performance.now();
  return () => (performance.now() - started) / 1000;
}

/** Milliseconds since 1970: the only clock that processes share. */
export function timeOfDay(): number {
  return Date.now();
}

/** Processor time of this thread so far, in microseconds. */
export function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
