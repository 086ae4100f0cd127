// The wall clock, for the summary's `wall` and nothing else.

/** Starts now; gives the seconds since. */
export function startStopwatch(): () => number {
  const started = performance.now();
  return () => (performance.now() - started) / 1000;
}

/** Milliseconds since 1970: the only clock that processes share. */
export function timeOfDay(): number {
  return Date.now();
}
