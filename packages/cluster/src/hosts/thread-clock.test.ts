import process from "node:process";
import { expect, test } from "vitest";
import { createThreadClock } from "./thread-clock.ts";

/** Spins for so many milliseconds of the wall clock. */
function spin(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

test("tells apart what the system's own count lumps together", () => {
  const time = createThreadClock();
  // A timer's tick takes milliseconds: of twenty intervals of a tenth, most would count as nothing.
  const intervals = Array.from({ length: 20 }, () => {
    const before = time();
    spin(0.1);
    return time() - before;
  });
  for (const interval of intervals) expect(interval).toBeGreaterThan(0);
  const longest = Math.max(...intervals);
  expect(intervals.filter((interval) => interval > longest / 100).length).toBeGreaterThan(10);
});

test("counts no time in which the thread waits, and all in which it works", () => {
  const time = createThreadClock();
  const coarse = process.threadCpuUsage();
  const before = time();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  const waited = time() - before;
  spin(50);
  const worked = time() - before - waited;
  expect(waited).toBeLessThan(worked / 4);
  const { user, system } = process.threadCpuUsage(coarse);
  // The system's count lags behind by a tick at most.
  expect(Math.abs(user + system - waited - worked)).toBeLessThan(20_000);
});
