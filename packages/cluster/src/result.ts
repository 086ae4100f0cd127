// What a run gives back: the summary that users and scripts rely on (windtunnel/summary@1), and what it reports
// while it goes on.

import type { TraceOptions } from "@windtunnel/trace";

export interface StepSummary {
  readonly kind: "prefill" | "decode";
  /** From the first rank's start to the last rank's end, in microseconds. */
  readonly us: number;
  /** End of the last minus start of the first MoE layer, divided by their number, mean over ranks, in microseconds. */
  readonly layerUs: number;
}

/** Times in flight; means over ranks, in microseconds. */
export interface CommunicationSummary {
  readonly totalUs: number;
  readonly hiddenUs: number;
  readonly exposedUs: number;
  readonly hiddenFraction: number | null;
  /** Time between a rank's own send and its last arrival with none of its bytes in flight. */
  readonly waitUs: number;
  readonly exposedWaitUs: number;
}

/** A latency over requests, in microseconds. */
export interface LatencySummary {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface Summary {
  readonly schema: "windtunnel/summary@1";
  readonly name: string;
  readonly digests: {
    readonly events: string;
    readonly tokens: string;
    readonly trace: string;
  };
  readonly outputs: readonly { readonly request: number; readonly tokens: readonly number[] }[];
  readonly virtual: {
    readonly totalUs: number;
    readonly steps: readonly StepSummary[];
    /** Means over requests; null where no request got a token of that kind. */
    readonly timeToFirstTokenUs: number | null;
    readonly timePerOutputTokenUs: number | null;
    readonly tokensPerSecondPerNode: number;
    readonly latencies: {
      readonly timeToFirstTokenUs: LatencySummary | null;
      readonly timePerOutputTokenUs: LatencySummary | null;
    };
  };
  readonly communication: CommunicationSummary;
  /** The same by kind of step. */
  readonly communicationByStepKind: Partial<Record<"prefill" | "decode", CommunicationSummary>>;
  readonly traffic: {
    readonly nvlinkBytes: number;
    readonly rdmaBytes: number;
    readonly bytesByPlane: readonly number[];
    readonly messages: number;
  };
  readonly hosts: readonly HostSummary[];
  readonly wall: {
    /** The simulation alone, without start-up and writing. */
    readonly seconds: number;
    /** Of a step after the first, mean; null where there is one. */
    readonly laterStepSeconds: number | null;
    readonly startSeconds: number;
    /** When the first event had been handled, in milliseconds since 1970. */
    readonly firstEventAt: number;
    readonly exportSeconds: number;
    readonly events: number;
    readonly eventsPerSecond: number;
    /** How often a message went over a link. */
    readonly linkEvents: number;
    readonly syncRounds: number;
    /** Rounds for each MoE layer and micro-batch, and how well the hosts' work was balanced: processor time of all hosts over that of the slowest host of each round. Null with one host. */
    readonly roundsPerLayer: number | null;
    readonly balance: number | null;
    readonly frames: number;
    readonly frameBytes: number;
    readonly peakRssBytes: number;
  };
  /** What went wrong without touching the result, such as a trace receiver that did not answer. */
  readonly warnings: readonly string[];
}

/** Of a run that recorded nothing: what only a recording tells is null. */
export interface UnrecordedSummary extends Omit<
  Summary,
  "digests" | "virtual" | "communication" | "communicationByStepKind"
> {
  readonly digests: Omit<Summary["digests"], "trace"> & { readonly trace: null };
  readonly virtual: Omit<Summary["virtual"], "steps"> & {
    readonly steps: readonly (Omit<StepSummary, "layerUs"> & { readonly layerUs: null })[];
  };
  readonly communication: null;
}

export interface HostSummary {
  readonly kind: "inline" | "thread" | "process";
  /** The operating system's process id; threads share their process's. */
  readonly pid: number;
  readonly gpus: readonly number[];
  readonly planes: readonly number[];
}

/** How far a run is; sent a few times a second. */
export interface RunProgress {
  readonly stage: "starting" | "running" | "exporting";
  /** Steps finished and steps in all, as far as known. */
  readonly stepsDone: number;
  readonly stepCount: number;
  readonly virtualUs: number;
  readonly events: number;
}

export interface RunOptions {
  /** The folder that the run is written to; made when it isn't there. */
  readonly outputFolder: string;
  /** Writes every event of every host to the output folder, to compare two runs. */
  readonly eventLog?: boolean;
  /** False: no trace.perfetto.json and no trace.otlp.jsonl, and nothing is sent to a trace receiver. Default: true. */
  readonly exports?: boolean;
  /** Which ranks and steps these two show; by default all, or a part that a warning names where all would be large. */
  readonly traces?: TraceOptions;
  readonly onProgress?: (progress: RunProgress) => void;
  /** Ends the run: everything goes down and the promise rejects. */
  readonly signal?: AbortSignal;
}
