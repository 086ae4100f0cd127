// Everything that a recording says of where a run's time went, as plain data (windtunnel/analysis@1): causes by step and by
// rank, the critical path, who waited for whom, links with queues, and what is probably wrong. One pass over the recording.
// Memory: the graphs of two steps, one of them kept for its path, and numbers for each step, rank, pair of ranks and link.

import { toMicroseconds } from "@windtunnel/base";
import { type AttributionOptions, attributeStep, wiresOf } from "./attribution.ts";
import {
  addSegments,
  type CauseSegment,
  type CauseSums,
  noTime,
  STEP_CAUSES,
  type StepCause,
} from "./causes.ts";
import { criticalPath, type PathPiece } from "./critical-path.ts";
import { fabricsOf, gpusOf, linkNames, type Recording } from "./recording-reader.ts";
import { type StepGraph, stepGraphs } from "./step-graph.ts";
import { type Suspect, Suspects } from "./suspects.ts";
import { type WaitFinding, WaitMatrix } from "./wait-matrix.ts";

export type CauseTimes = Readonly<Record<StepCause, number>>;

export interface StepAnalysis {
  readonly step: number;
  readonly kind: "prefill" | "decode";
  readonly us: number;
  /** Microseconds, mean over ranks; their sum is `us`. */
  readonly causesUs: CauseTimes;
  /** Of the critical path; their sum is `us` too. */
  readonly pathCausesUs: CauseTimes;
}

export interface RankAnalysis {
  readonly rank: number;
  /** Over all steps. */
  readonly causesUs: CauseTimes;
  /** Whom it waited for as the slower one, longest first. */
  readonly waitedFor: readonly { readonly rank: number; readonly us: number }[];
}

export interface PathPieceAnalysis {
  readonly fromUs: number;
  readonly us: number;
  readonly kind: PathPiece["kind"];
  readonly rank: number;
  readonly edge: PathPiece["edge"];
  /** The operation, or the phase of a message. */
  readonly what: string;
  readonly layer: number;
  readonly microBatch: number;
  /** Of a message: its source, and the link that limited it. */
  readonly source?: number;
  readonly link?: string;
}

export interface RunAnalysis {
  readonly schema: "windtunnel/analysis@1";
  readonly name: string;
  readonly steps: readonly StepAnalysis[];
  readonly ranks: readonly RankAnalysis[];
  /** By kind of step: microseconds of a step, mean over ranks and steps. */
  readonly byKind: Partial<
    Record<
      "prefill" | "decode",
      { readonly steps: number; readonly us: number; readonly causesUs: CauseTimes }
    >
  >;
  /** Links at which computing waited for messages in queues, longest first: mean over ranks, whole run. */
  readonly queues: readonly { readonly link: string; readonly us: number }[];
  /** Of one step: the one that was asked for, or the longest of the last kind. */
  readonly criticalPath: { readonly step: number; readonly pieces: readonly PathPieceAnalysis[] };
  readonly waits: {
    readonly ranks: readonly number[];
    /** Row-major [receiver, source]: mean microseconds from the end of its own send to a message's arrival. */
    readonly meanUs: readonly number[];
    readonly findings: readonly WaitFinding[];
  };
  /** Costliest first. */
  readonly suspects: readonly Suspect[];
}

export interface AnalysisOptions {
  /** The step whose critical path is given. */
  readonly step?: number;
  readonly onStep?: (step: number) => void;
}

export function analyzeRun(recording: Recording, options: AnalysisOptions = {}): RunAnalysis {
  const { header } = recording;
  const nameOfLink = linkNames(header);
  const attribution: AttributionOptions = { sms: header.sms, wireOf: wiresOf(header) };
  const gpus = gpusOf(header).toSorted((a, b) => a.rank - b.rank);
  const rankNumbers = gpus.map(({ rank }) => rank);
  const matrix = new WaitMatrix(gpus);
  const suspects = new Suspects({
    wireOf: attribution.wireOf,
    nameOfLink,
    links: fabricsOf(header).flatMap(({ links }) => links),
  });
  const sums = new RunSums(rankNumbers, nameOfLink);
  let path: { readonly graph: StepGraph; readonly us: number } | undefined;
  const graphs = stepGraphs(recording, {
    onMessages: (target, step) => {
      matrix.add(target, step);
      suspects.addMessages(target, step);
    },
  });
  for (const graph of graphs) {
    suspects.addStep(graph);
    sums.add(graph, attribution);
    const us = graph.end - graph.start;
    const isAsked = options.step === undefined ? isLonger(graph, us, path) : graph.step === options.step;
    if (isAsked) path = { graph, us };
    options.onStep?.(graph.step);
  }
  const pieces = path === undefined ? [] : criticalPath(path.graph, attribution).pieces;
  return {
    schema: "windtunnel/analysis@1",
    name: header.name,
    ...sums.result(),
    criticalPath: {
      step: path?.graph.step ?? -1,
      pieces: pieces.map((piece) => describePiece(piece, path!.graph.start, nameOfLink)),
    },
    waits: { ranks: rankNumbers, meanUs: [...matrix.means()], findings: matrix.findings() },
    suspects: suspects.found(),
  };
}

/** The longest step of the kind that came last: prefill before decode. */
function isLonger(
  graph: StepGraph,
  us: number,
  path: { readonly graph: StepGraph; readonly us: number } | undefined,
): boolean {
  return path === undefined || path.graph.kind !== graph.kind || us > path.us;
}

function describePiece(
  piece: PathPiece,
  stepStart: number,
  nameOfLink: (process: number, link: number) => string,
): PathPieceAnalysis {
  const { from, to, kind, rank, edge, span, message } = piece;
  const { layer = -1, microBatch = -1 } = span ?? message ?? {};
  return {
    fromUs: toMicroseconds(from - stepStart),
    us: toMicroseconds(to - from),
    kind,
    rank,
    edge,
    what: span?.name ?? message?.phase ?? kind,
    layer,
    microBatch,
    ...(message === undefined
      ? {}
      : { source: message.source, link: nameOfLink(message.limitingProcess, message.limitingLink) }),
  };
}

class RunSums {
  readonly #nameOfLink: (process: number, link: number) => string;
  readonly #ranks: Map<number, { readonly sums: CauseSums; readonly waitedFor: Map<number, number> }>;
  readonly #steps: StepAnalysis[] = [];
  readonly #queues = new Map<string, number>();

  constructor(ranks: readonly number[], nameOfLink: (process: number, link: number) => string) {
    this.#nameOfLink = nameOfLink;
    this.#ranks = new Map(
      ranks.map((rank) => [rank, { sums: noTime(), waitedFor: new Map<number, number>() }]),
    );
  }

  add(graph: StepGraph, attribution: AttributionOptions): void {
    const all = noTime();
    for (const rank of graph.ranks) {
      const segments = attributeStep(graph, rank, attribution);
      const own = this.#ranks.get(rank.rank)!;
      addSegments(own.sums, segments);
      addSegments(all, segments);
      this.#addDetails(segments, own.waitedFor);
    }
    const { causes } = criticalPath(graph, attribution);
    this.#steps.push({
      step: graph.step,
      kind: graph.kind,
      us: toMicroseconds(graph.end - graph.start),
      causesUs: scaled(all, graph.ranks.length),
      pathCausesUs: scaled(causes, 1),
    });
  }

  #addDetails(segments: readonly CauseSegment[], waitedFor: Map<number, number>): void {
    for (const { cause, from, to, rank, link } of segments) {
      if (cause === "slower-rank" && rank !== undefined) {
        waitedFor.set(rank, (waitedFor.get(rank) ?? 0) + to - from);
      }
      if (cause !== "queueing" || link === undefined) continue;
      const name = this.#nameOfLink(link.process, link.link);
      this.#queues.set(name, (this.#queues.get(name) ?? 0) + to - from);
    }
  }

  result(): Pick<RunAnalysis, "steps" | "ranks" | "byKind" | "queues"> {
    const byKind: { -readonly [Kind in "prefill" | "decode"]?: RunAnalysis["byKind"][Kind] } = {};
    for (const kind of ["prefill", "decode"] as const) {
      const steps = this.#steps.filter((step) => step.kind === kind);
      if (steps.length === 0) continue;
      const mean = (of: (step: StepAnalysis) => number): number =>
        steps.reduce((sum, step) => sum + of(step), 0) / steps.length;
      const causesUs = timesOf((cause) => mean((step) => step.causesUs[cause]));
      byKind[kind] = { steps: steps.length, us: mean(({ us }) => us), causesUs };
    }
    const rankCount = Math.max(1, this.#ranks.size);
    return {
      steps: this.#steps,
      ranks: [...this.#ranks].map(([rank, { sums, waitedFor }]) => ({
        rank,
        causesUs: scaled(sums, 1),
        waitedFor: [...waitedFor]
          .map(([other, time]) => ({ rank: other, us: toMicroseconds(time) }))
          .sort((a, b) => b.us - a.us || a.rank - b.rank),
      })),
      byKind,
      queues: [...this.#queues]
        .map(([link, time]) => ({ link, us: toMicroseconds(time) / rankCount }))
        .sort((a, b) => b.us - a.us),
    };
  }
}

function scaled(sums: CauseSums, count: number): CauseTimes {
  return timesOf((cause) => toMicroseconds(sums[cause]) / count);
}

function timesOf(of: (cause: StepCause) => number): CauseTimes {
  return Object.fromEntries(STEP_CAUSES.map((cause) => [cause, of(cause)])) as CauseTimes;
}
