// One dispatch and one combine alone, as DeepEP's own benchmark measures them: every rank begins a phase at the same
// instant, and a rank's time runs from the start of its kernel to the end of its receiving. Nothing is executed. It runs in
// this thread, on the same GPUs, patterns and fabric as a scenario.

import { defined, toMicroseconds } from "@windtunnel/base";
import type { FabricProcess } from "@windtunnel/network-plane";
import type { DispatchLayout } from "@windtunnel/router";
import { RoutingPool } from "@windtunnel/serving";
import { noRecorder, type Phase } from "@windtunnel/trace";
import { deadlockError, EventLoop, type LogicalProcess } from "@windtunnel/virtual-time";
import type { AllToAllOptions } from "./all-to-all-options.ts";
import { type MeasuredRank, measureRank, PhaseCoordinator, type Traffic } from "./all-to-all-program.ts";
import { prepareAllToAll } from "./all-to-all-scenario.ts";
import { createFabric, createParcelTable } from "./create-processes.ts";
import { fanOutOf, type LogicalCopies, logicalBytes, logicalCopies } from "./fan-out.ts";
import { type LinkGroupLoad, loadsByGroup } from "./link-loads.ts";
import type { PreparedRun } from "./prepare-run.ts";
import { classIndices } from "./process-numbers.ts";
import { classGraph } from "./wiring.ts";

/** One phase, over all ranks. */
export interface PhaseResult extends Traffic {
  /** Mean over ranks, and the slowest rank. */
  readonly us: number;
  readonly maxUs: number;
  /** DeepEP's logical bytes of a rank, mean, and that over `us`. */
  readonly logicalBytes: number;
  readonly logicalGBps: number;
}

export interface AllToAllResult {
  /** With every field of `fabric`, and the profile's and the pattern's files by their whole paths. */
  readonly options: AllToAllOptions;
  /** The pattern's own name. */
  readonly pattern: string;
  /** What the logical bytes count a copy of a token for. */
  readonly copies: LogicalCopies;
  readonly dispatch: PhaseResult;
  readonly combine: PhaseResult;
  /** Layout, counts and the host's wait for them, before the dispatch kernel: mean over ranks. Not part of `dispatch`. */
  readonly preparationUs: number;
  /** Tokens that a rank's experts get from all sources, a token once for each of its choices there. */
  readonly rowsPerRank: { readonly mean: number; readonly max: number };
  /** Distinct tokens that a rank gets. */
  readonly tokensPerRank: { readonly mean: number; readonly max: number };
  /** Distinct ranks and distinct nodes that a token goes to, its own included: means. */
  readonly ranksPerToken: number;
  readonly nodesPerToken: number;
  /** Both phases, by plane, leaf, spine and NVLink domain; only what carried something. */
  readonly loads: readonly LinkGroupLoad[];
  readonly events: number;
}

/** Throws what `runAllToAll` would throw of wrong options, and runs nothing. */
export function checkAllToAll(options: AllToAllOptions): void {
  prepareAllToAll(options);
}

/** The choices that a run with these options draws: for each rank the physical experts of its tokens, [tokens, topk]. */
export function drawnChoices(options: AllToAllOptions): readonly Int32Array[] {
  return drawLayouts(prepareAllToAll(options), options).map(choicesOf);
}

/** Runs one dispatch and one combine. Throws `input` errors as `prepareAllToAll` does. */
export function runAllToAll(options: AllToAllOptions): AllToAllResult {
  const { simulate, result } = setUpAllToAll(options);
  simulate();
  return result();
}

/** The same in its parts, for whoever measures them: what is prepared, the simulation, and what it gave. */
export function setUpAllToAll(options: AllToAllOptions): {
  readonly simulate: () => void;
  readonly result: () => AllToAllResult;
} {
  const run = prepareAllToAll(options);
  const parcels = createParcelTable(false);
  const ranks = drawLayouts(run, options).map((layout, rank) => measureRank(run, rank, layout, parcels));
  const fabrics: FabricProcess[] = [];
  const coordinator = new PhaseCoordinator(run, () => trafficOf(run, fabrics));
  const processes = new Map<number, LogicalProcess>(ranks.map(({ gpu }, rank) => [rank, gpu]));
  for (let process = run.numbers.rankCount; process < run.numbers.scheduler; process++) {
    const fabric = createFabric(run, process, { recorder: noRecorder, parcels });
    fabrics.push(fabric);
    processes.set(process, fabric);
  }
  processes.set(run.numbers.scheduler, coordinator);
  const loop = new EventLoop({
    processes,
    classes: classGraph(run),
    classOf: classIndices(run.numbers),
  });
  const simulate = (): void => {
    loop.start();
    loop.run();
    const waiting = loop.waiting();
    if (waiting.length > 0) throw deadlockError(waiting);
  };
  const result = (): AllToAllResult =>
    resultOf({ run, options, ranks, coordinator, fabrics, events: loop.eventCount });
  return { simulate, result };
}

function drawLayouts(run: PreparedRun, { ranks, tokens }: AllToAllOptions): DispatchLayout[] {
  const pool = new RoutingPool(defined(run.routing, "drawn routing"), run.placement);
  return Array.from({ length: ranks }, (_, rank) =>
    pool.layout({
      tokenCount: tokens[rank % tokens.length]!,
      layer: 0,
      variant: rank,
      unitRank: rank,
      firstRow: 0,
    }),
  );
}

function choicesOf({ rowOfSlot, rowOffsets }: DispatchLayout): Int32Array {
  const expertOfRow = new Int32Array(rowOfSlot.length);
  for (let expert = 0; expert + 1 < rowOffsets.length; expert++) {
    expertOfRow.fill(expert, rowOffsets[expert], rowOffsets[expert + 1]);
  }
  return Int32Array.from(rowOfSlot, (row) => expertOfRow[row]!);
}

function trafficOf({ numbers }: PreparedRun, fabrics: readonly FabricProcess[]): Traffic {
  let [nvlinkBytes, rdmaBytes, messages] = [0, 0, 0];
  for (const [index, { traffic }] of fabrics.entries()) {
    if (index < numbers.domainCount) nvlinkBytes += traffic.bytes;
    else rdmaBytes += traffic.bytes;
    messages += traffic.messages;
  }
  return { nvlinkBytes, rdmaBytes, messages };
}

interface Measured {
  readonly run: PreparedRun;
  readonly options: AllToAllOptions;
  readonly ranks: readonly MeasuredRank[];
  readonly coordinator: PhaseCoordinator;
  readonly fabrics: readonly FabricProcess[];
  readonly events: number;
}

function resultOf({ run, options, ranks, coordinator, fabrics, events }: Measured): AllToAllResult {
  const [afterDispatch, afterCombine] = coordinator.traffic;
  const [first, both] = [defined(afterDispatch, "dispatch"), defined(afterCombine, "combine")];
  const second = {
    nvlinkBytes: both.nvlinkBytes - first.nvlinkBytes,
    rdmaBytes: both.rdmaBytes - first.rdmaBytes,
    messages: both.messages - first.messages,
  };
  const layouts = ranks.map(({ layout }) => layout);
  const fanOut = fanOutOf(run, layouts);
  const phase = (name: Phase, traffic: Traffic): PhaseResult => {
    const times = ranks.map(({ span }) => toMicroseconds(span[name].end - span[name].start));
    const us = meanOf(times);
    const logical = logicalBytes(run, fanOut, name);
    return {
      us,
      maxUs: times.reduce((most, time) => Math.max(most, time), 0),
      ...traffic,
      logicalBytes: logical,
      logicalGBps: logical / us / 1e3,
    };
  };
  return {
    options: resolvedOptions(run, options),
    pattern: run.styles.decode.pattern.name,
    copies: logicalCopies(run),
    dispatch: phase("dispatch", first),
    combine: phase("combine", second),
    preparationUs: meanOf(
      ranks.map(({ span, plannedAt }) => toMicroseconds(span.dispatch.start - plannedAt)),
    ),
    rowsPerRank: meanAndMax(fanOut.rowsOfRank),
    tokensPerRank: meanAndMax(fanOut.tokensOfRank),
    ranksPerToken: fanOut.ranksPerToken,
    nodesPerToken: fanOut.nodesPerToken,
    loads: loadsByGroup(run, fabrics),
    events,
  };
}

function resolvedOptions({ resolved }: PreparedRun, options: AllToAllOptions): AllToAllOptions {
  const { timing, run, cluster } = resolved;
  return { ...options, gpu: timing.gpu, pattern: run.decode.dispatch, fabric: { ...cluster.fabric } };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function meanAndMax(values: readonly number[]): { mean: number; max: number } {
  return { mean: meanOf(values), max: values.reduce((most, value) => Math.max(most, value), 0) };
}
