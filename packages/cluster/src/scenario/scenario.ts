// A scenario as the rest of the house sees it: every default filled in, every path absolute.
// Only `cluster.fabric.planes`, `nodesPerLeaf` beside it, `timing.kvLength` and `run.communicationSms` may be missing: the first two need the
// hardware profile (a node's NICs), the third means "as executed"; and overrides of all parts of a kind, which are then
// as they are. It does not know how it was written down (`schema.ts`).

import type { FabricKind } from "@windtunnel/network-plane";
import type { Placement } from "./placement.ts";

export type ScenarioModel = { readonly checkpoint: string } | { readonly preset: string };

export type Schedule = "sequential" | "dual-batch" | "five-stage";
/** A built-in pattern's name, or the absolute path of a pattern's file. */
export type DispatchPattern = string;
export type WirePrecision = "f32" | "bf16" | "fp8";
export type RunPhase = "generate" | "prefill" | "decode";
export type FabricRouting = "static" | "ecmp" | "adaptive";

/** How routing is made up where nothing is executed (`math: skip`). */
export type DrawnRouting =
  | {
      readonly draw: "balanced" | "gate-like" | "zipf";
      readonly exponent?: number;
      readonly groups?: number;
      readonly limitedGroups?: number;
    }
  | { readonly file: string };

export interface ScenarioTiming {
  /** "executed", the name of a timed preset, or the absolute path of a config.json. */
  readonly model: string;
  /** The name of a hardware profile, or the absolute path of a profile file. */
  readonly gpu: string;
  /** Cached tokens that every request is priced with; missing: as executed. */
  readonly kvLength?: number;
  /** Whether experts' SwiGLU and the cast of its result are one kernel. */
  readonly fusedActivation: boolean;
}

export interface ScenarioFabric {
  readonly kind: FabricKind;
  /** NICs of a node that are used. Missing: as many as a node of the hardware profile has, for its GPUs at most. */
  readonly planes?: number;
  /** Missing only in `single-plane`: as many as fit half of a leaf's ports, with all their NICs. */
  readonly nodesPerLeaf?: number;
  readonly spinesPerPlane: number;
  readonly switchPorts: number;
  readonly network: "infiniband" | "roce";
  readonly routing: FabricRouting;
  /** Whether PCIe inside nodes is links of its own. */
  readonly pcie: boolean;
}

export interface DrawnWorkload {
  readonly requestsPerGpu: number;
  readonly promptTokens: number;
  readonly steps: number;
  readonly positionsPerRequest: number;
  readonly acceptedPerStep: number;
}

export type ScenarioWorkload =
  | { readonly prompts: string; readonly maxNewTokens: number }
  | { readonly drawn: DrawnWorkload };

/** Factors: 1 changes nothing, and is what a missing one means. */
export interface ScenarioOverrides {
  /** By rank. */
  readonly gpus: Readonly<Record<number, { readonly speed: number }>>;
  /** By the link's name, as the trace writes it. */
  readonly links: Readonly<Record<string, { readonly bandwidth: number }>>;
  /** All NICs and all links of planes. */
  readonly nic?: { readonly bandwidth: number };
  readonly nvlink?: { readonly bandwidth: number };
  readonly pcie?: { readonly bandwidth: number };
  /** The host's time of a kernel launch; 0: none. */
  readonly launch?: { readonly time: number };
  /** By the expert's number, in all layers of drawn routing. */
  readonly experts: Readonly<Record<number, { readonly load: number }>>;
}

export interface Scenario {
  readonly version: 1;
  readonly name: string;
  readonly seed: number;
  readonly model: ScenarioModel;
  readonly math: "real" | "skip";
  readonly routing?: DrawnRouting;
  readonly timing: ScenarioTiming;
  readonly cluster: {
    readonly nodes: number;
    readonly gpusPerNode: number;
    readonly fabric: ScenarioFabric;
  };
  readonly parallelism: {
    /** GPUs of one expert-parallel unit; divides the number of GPUs. */
    readonly expertParallel: number;
    readonly redundantExperts: number;
  };
  readonly run: {
    readonly phase: RunPhase;
    /** Schedules by name, or by the path of a file. */
    readonly prefill: { readonly schedule: string; readonly dispatch: DispatchPattern };
    readonly decode: {
      readonly schedule: string;
      readonly dispatch: DispatchPattern;
      /** Whether the host launches each kernel, or one captured graph a step. */
      readonly launch: "kernels" | "graph";
      /** Numbers of requests that graphs are captured for, ascending; a batch is padded to the next one. */
      readonly graphSizes: readonly number[];
    };
    readonly precision: { readonly dispatch: WirePrecision; readonly combine: WirePrecision };
    /** SMs of the kernels of `direct` and `normal`; missing: as many as the schedule says. */
    readonly communicationSms?: number;
    /** False: dispatch and combine leave the NVLink domain alone, also inside a node. */
    readonly nvlinkForDispatch: boolean;
  };
  readonly workload: ScenarioWorkload;
  readonly overrides: ScenarioOverrides;
  readonly placement: Placement;
  readonly allowOversubscription: boolean;
}

/** GPUs of the whole emulated cluster. */
export function gpuCount(scenario: Pick<Scenario, "cluster">): number {
  return scenario.cluster.nodes * scenario.cluster.gpusPerNode;
}
