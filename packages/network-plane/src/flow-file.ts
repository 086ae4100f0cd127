// The format of `windtunnel fabric FILE.json`: a multi-plane fabric and flows between ranks. Checks data that is
// already parsed; knows no disk and no contention model. A schema's message here is always the text of what is
// *allowed*; what was found is put before it. All that is wrong is said in one input error.

import { z } from "zod";
import { type InputProblem, problemsError, problemsOfIssues } from "./input-problems.ts";
import type { Routing } from "./topology.ts";

/** Ranks are node × gpusPerNode + plane. */
export interface FlowFabric {
  readonly nodes: number;
  readonly gpusPerNode: number;
  readonly planes: number;
  readonly nodesPerLeaf: number;
  readonly spinesPerPlane: number;
  /** 1e9 bytes per second. */
  readonly linkGBps: number;
  /** Of each link, with the switch behind it. */
  readonly linkLatencyNs: number;
  /** `adaptive` is for `trains` alone. */
  readonly routing: Routing;
}

export interface Flow {
  readonly id?: number | undefined;
  /** Ranks. */
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly startNs: number;
  /** What an earlier run, or another simulator, made of it. Not read. */
  readonly finishNs?: number | undefined;
}

export interface FlowFile {
  /** What made the `finishNs` of a file that has them. */
  readonly oracle?: string | undefined;
  readonly fabric: FlowFabric;
  readonly flows: readonly Flow[];
}

/** Beyond this, the table of a plane's links would take more memory than flows are worth. */
const MOST_LINKS_OF_A_PLANE = 2_000_000;
const PICOSECOND_IN_NS = 0.001;
const ROUTINGS: readonly Routing[] = ["static", "ecmp", "adaptive"];

function whole(least: number): z.ZodNumber {
  const error = `a whole number of at least ${least}`;
  return z.number({ error }).int({ error }).min(least, { error });
}

function atLeast(least: number, error: string): z.ZodNumber {
  return z.number({ error }).min(least, { error });
}

const fabricShape = {
  nodes: whole(1),
  gpusPerNode: whole(1),
  planes: whole(1),
  nodesPerLeaf: whole(1),
  spinesPerPlane: whole(0),
  linkGBps: atLeast(1e-6, "1e9 bytes per second, above 0 (at least 0.000001)"),
  linkLatencyNs: atLeast(PICOSECOND_IN_NS, "nanoseconds, above 0 (at least 0.001)"),
  routing: z.enum(ROUTINGS, { error: ROUTINGS.join(", ") }),
};

const flowShape = {
  id: whole(0).optional(),
  from: whole(0),
  to: whole(0),
  bytes: whole(1),
  startNs: atLeast(0, "nanoseconds, at least 0"),
  finishNs: z.number({ error: "a number of nanoseconds" }).optional(),
};

const fileShape = {
  oracle: z.string({ error: "text" }).optional(),
  fabric: z.strictObject(fabricShape, { error: `fields ${Object.keys(fabricShape).join(", ")}` }),
  flows: z.array(z.strictObject(flowShape, { error: `fields ${Object.keys(flowShape).join(", ")}` }), {
    error: "a list of flows",
  }),
};

const fileSchema = z.strictObject(fileShape, { error: "an object with fabric and flows" });

/** Checks parsed JSON. Throws an input error with the file, the fields, what was found and what is allowed. */
export function checkFlowFile(value: unknown, file: string): FlowFile {
  const result = fileSchema.safeParse(value);
  if (!result.success) throw problemsError(problemsOfIssues(result.error.issues, value, fieldNamesAt), file);
  const checked: FlowFile = result.data;
  const fabricProblems = [...problemsOfFabric(checked.fabric)];
  // Whether a flow fits is asked of a fabric that is one.
  const problems = fabricProblems.length > 0 ? fabricProblems : [...problemsOfFlows(checked)];
  if (problems.length > 0) throw problemsError(problems, file);
  return checked;
}

function* problemsOfFabric(fabric: FlowFabric): Generator<InputProblem> {
  const { nodes, gpusPerNode, planes, nodesPerLeaf, spinesPerPlane } = fabric;
  if (planes > gpusPerNode) {
    yield {
      path: "fabric.planes",
      found: `${planes} planes and ${gpusPerNode} GPUs on a node: nobody hangs on plane ${gpusPerNode}`,
      allowed: `1 to ${gpusPerNode}`,
    };
  }
  const leaves = Math.ceil(nodes / nodesPerLeaf);
  if (leaves > 1 && spinesPerPlane === 0) {
    yield {
      path: "fabric.spinesPerPlane",
      found: `0: ${leaves} leaves without an uplink`,
      allowed: `at least 1, or nodesPerLeaf of at least ${nodes}`,
    };
  }
  const links = 2 * (nodes + (leaves > 1 ? leaves * spinesPerPlane : 0));
  if (!Number.isSafeInteger(nodes * gpusPerNode) || links > MOST_LINKS_OF_A_PLANE) {
    yield {
      path: "fabric",
      found: `a plane of ${links} links`,
      allowed: `at most ${MOST_LINKS_OF_A_PLANE}: fewer nodes, or fewer leaves and spines`,
    };
  }
}

function* problemsOfFlows({ fabric, flows }: FlowFile): Generator<InputProblem> {
  const { nodes, gpusPerNode, planes } = fabric;
  const rankCount = nodes * gpusPerNode;
  const indexById = new Map<number, number>();
  for (const [index, { id, from, to }] of flows.entries()) {
    const path = `flows.${index}`;
    const misplaced = [...problemsOfEnds(path, { from, to }, rankCount)];
    yield* misplaced;
    const [plane, planeOfTarget] = [from % gpusPerNode, to % gpusPerNode];
    if (misplaced.length > 0) continue;
    if (from === to)
      yield { path: `${path}.to`, found: `${to}, which is also from`, allowed: "another rank" };
    if (plane !== planeOfTarget || plane >= planes) {
      const missing = plane === planeOfTarget ? ", which is not there" : "";
      const found = `from ${from} on plane ${plane} and to ${to} on plane ${planeOfTarget}${missing}`;
      const allowed = `two ranks of one plane, 0 to ${planes - 1} (rank = node × ${gpusPerNode} + plane)`;
      yield { path, found, allowed };
    }
    if (id === undefined) continue;
    const first = indexById.get(id);
    if (first === undefined) indexById.set(id, index);
    else
      yield {
        path: `${path}.id`,
        found: `${id}, which flows.${first} has`,
        allowed: "an id of its own, or none",
      };
  }
}

function* problemsOfEnds(
  path: string,
  ends: { readonly from: number; readonly to: number },
  rankCount: number,
): Generator<InputProblem> {
  for (const end of ["from", "to"] as const) {
    if (ends[end] < rankCount) continue;
    yield { path: `${path}.${end}`, found: String(ends[end]), allowed: `a rank, 0 to ${rankCount - 1}` };
  }
}

function fieldNamesAt([top]: readonly PropertyKey[]): string[] {
  return Object.keys(top === "fabric" ? fabricShape : top === "flows" ? flowShape : fileShape);
}
