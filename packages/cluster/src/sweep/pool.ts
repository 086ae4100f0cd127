// Points over a pool of worker threads. It knows nothing of grids and of what is stored.
// Invariant: when the promise settles, no thread and no temporary folder is left, however it settles.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { WorldError } from "@windtunnel/base";
import { Piscina } from "piscina";
import type { Scenario } from "../scenario/index.ts";
import type { PointOutcome, PointProgress, PointTask } from "./point-thread.ts";

export interface PoolOptions {
  readonly points: readonly { readonly scenario: Scenario; /** For messages. */ readonly place: string }[];
  readonly workerCount: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: PointProgress) => void;
  /** Called once for each point, in the order in which they end. */
  readonly onOutcome: (index: number, outcome: PointOutcome) => void;
}

/** Rejects when the signal fires, when a thread dies, and when `onOutcome` throws; the points at work are lost then. */
export async function runOnPool(options: PoolOptions): Promise<void> {
  const { points, workerCount, signal, onProgress, onOutcome } = options;
  signal.throwIfAborted();
  const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-sweep-"));
  const pool = new Piscina<PointTask, PointOutcome>({
    filename: fileURLToPath(new URL("./point-thread.ts", import.meta.url)),
    minThreads: workerCount,
    maxThreads: workerCount,
    // Points take seconds; a thread that sleeps in its event loop ends more readily than one that blocks.
    atomics: "disabled",
  });
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => (ending ??= pool.destroy());
  const onAbort = (): void => void end();
  signal.addEventListener("abort", onAbort, { once: true });
  pool.on("message", onProgress);
  // What befalls a thread rejects the point that it ran; one without a point has nothing to lose.
  pool.on("error", () => undefined);
  try {
    await Promise.all(
      points.map(async ({ scenario, place }, index) => {
        const outcome = await resultOf(pool.run({ index, scenario, folder }), place);
        signal.throwIfAborted();
        onOutcome(index, outcome);
      }),
    );
  } catch (error) {
    throw signal.aborted ? (signal.reason as Error) : error;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Threads catch what a point throws, so a rejection is the end of a thread. */
async function resultOf(run: Promise<PointOutcome>, place: string): Promise<PointOutcome> {
  try {
    return await run;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WorldError("host-died", `a worker thread ended at the point ${place}: ${why}`, {
      next: "the same command goes on where this one ended; if memory ran out, with a smaller --workers",
    });
  }
}
