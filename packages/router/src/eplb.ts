// EPLB: which experts get replicas, and on which GPU each replica lies, so that expected loads even out
// (deepseek-ai/EPLB, `eplb.py`; mechanics §3). Pure functions. Ties go to the lowest index, which the published code
// leaves open. Loads are compared in 32-bit floats, as there.

import { inputError, invariant } from "@windtunnel/base";

export interface EplbOptions {
  /** Physical experts: logical ones and their replicas. */
  readonly replicaCount: number;
  /** Groups of consecutive logical experts. */
  readonly groupCount: number;
  readonly nodeCount: number;
  readonly gpuCount: number;
}

/** Where the replicas of one layer's experts are. */
export interface EplbPlacement {
  /** [replicas]: the logical expert of each physical one; GPU g holds replicas / gpus consecutive ones. */
  readonly physicalToLogical: Int32Array;
  /** [replicas]: which replica of its expert it is, from 0. */
  readonly replicaOfPhysical: Int32Array;
  /** [experts]: replicas of each. */
  readonly logicalCount: Int32Array;
}

const { fround } = Math;

/**
 * Places the replicas of one layer. `loads` [experts]: expected tokens of each logical expert. Groups stay on a node
 * where they divide by nodes (hierarchical); otherwise nodes and groups are left out of account (global).
 */
export function balanceExperts(loads: ArrayLike<number>, options: EplbOptions): EplbPlacement {
  checkSizes(loads.length, options);
  const isHierarchical = options.groupCount % options.nodeCount === 0;
  const { groupCount, nodeCount } = isHierarchical ? options : { groupCount: 1, nodeCount: 1 };
  return placeHierarchically(Float32Array.from(loads), { ...options, groupCount, nodeCount });
}

function checkSizes(expertCount: number, options: EplbOptions): void {
  const { replicaCount, groupCount, nodeCount, gpuCount } = options;
  const refuse = (what: string, count: number, by: string, divisor: number): void => {
    if (divisor >= 1 && count % divisor === 0) return;
    throw inputError(`${count} ${what} do not divide by ${divisor} ${by}`, {
      found: count,
      allowed: `a multiple of ${divisor}`,
    });
  };
  refuse("experts", expertCount, "groups", groupCount);
  refuse("GPUs", gpuCount, "nodes", nodeCount);
  refuse("physical experts", replicaCount, "GPUs", gpuCount);
  if (replicaCount >= expertCount) return;
  throw inputError(`${replicaCount} physical experts can't hold ${expertCount} logical ones`, {
    found: replicaCount,
  });
}

function placeHierarchically(loads: Float32Array, options: EplbOptions): EplbPlacement {
  const { replicaCount, groupCount, nodeCount, gpuCount } = options;
  const groupSize = loads.length / groupCount;
  const expertsPerNode = loads.length / nodeCount;
  const replicasPerNode = replicaCount / nodeCount;
  const gpusPerNode = gpuCount / nodeCount;
  const replicasPerGpu = replicaCount / gpuCount;

  // 1. Groups to nodes; experts in the order of their nodes.
  const nodeOfGroup = balancedPacking(groupLoads(loads, groupSize), nodeCount);
  const logicalOf = new Int32Array(loads.length);
  for (let expert = 0; expert < loads.length; expert++) {
    const group = Math.floor(expert / groupSize);
    const slot = nodeOfGroup.packOf[group]! * (groupCount / nodeCount) + nodeOfGroup.rankInPack[group]!;
    logicalOf[slot * groupSize + (expert % groupSize)] = expert;
  }

  const physicalToLogical = new Int32Array(replicaCount);
  const replicaOfPhysical = new Int32Array(replicaCount);
  const logicalCount = new Int32Array(loads.length);
  for (let node = 0; node < nodeCount; node++) {
    // 2. Replicas inside the node.
    const experts = logicalOf.subarray(node * expertsPerNode, (node + 1) * expertsPerNode);
    const nodeLoads = Float32Array.from(experts, (expert) => loads[expert]!);
    const replicas = replicateExperts(nodeLoads, replicasPerNode);
    for (const [index, expert] of experts.entries()) logicalCount[expert] = replicas.counts[index]!;
    // 3. Replicas to the node's GPUs, by the load of one of them.
    const replicaLoads = Float32Array.from(
      replicas.expertOf,
      (index) => nodeLoads[index]! / replicas.counts[index]!,
    );
    const gpuOf = balancedPacking(replicaLoads, gpusPerNode);
    for (const [replica, index] of replicas.expertOf.entries()) {
      const slot = gpuOf.packOf[replica]! * replicasPerGpu + gpuOf.rankInPack[replica]!;
      physicalToLogical[node * replicasPerNode + slot] = experts[index]!;
      replicaOfPhysical[node * replicasPerNode + slot] = replicas.rankOf[replica]!;
    }
  }
  return { physicalToLogical, replicaOfPhysical, logicalCount };
}

function groupLoads(loads: Float32Array, groupSize: number): Float32Array {
  const sums = new Float32Array(loads.length / groupSize);
  for (const [expert, load] of loads.entries()) {
    const group = Math.floor(expert / groupSize);
    sums[group] = sums[group]! + load;
  }
  return sums;
}

interface Packing {
  readonly packOf: Int32Array;
  readonly rankInPack: Int32Array;
}

/** Items to packs of equal size: the heaviest item first, each to the lightest pack that is not full. */
export function balancedPacking(weights: Float32Array, packCount: number): Packing {
  invariant(weights.length % packCount === 0, `${weights.length} items for ${packCount} packs`);
  const packSize = weights.length / packCount;
  const packOf = new Int32Array(weights.length);
  const rankInPack = new Int32Array(weights.length);
  if (packSize === 1) return { packOf: packOf.map((_, item) => item), rankInPack };
  const heaviestFirst = [...weights.keys()].toSorted((a, b) => weights[b]! - weights[a]! || a - b);
  const sums = new Float32Array(packCount);
  const counts = new Int32Array(packCount);
  for (const item of heaviestFirst) {
    let lightest = -1;
    for (let pack = 0; pack < packCount; pack++) {
      if (counts[pack]! < packSize && (lightest < 0 || sums[pack]! < sums[lightest]!)) lightest = pack;
    }
    packOf[item] = lightest;
    rankInPack[item] = counts[lightest]!++;
    sums[lightest] = sums[lightest]! + weights[item]!;
  }
  return { packOf, rankInPack };
}

interface Replication {
  /** [replicas]: index of the expert. */
  readonly expertOf: Int32Array;
  /** [replicas]: which replica of its expert. */
  readonly rankOf: Int32Array;
  /** [experts] */
  readonly counts: Int32Array;
}

/** One slot for each expert, then each further slot to the expert whose replicas carry most. */
export function replicateExperts(loads: Float32Array, replicaCount: number): Replication {
  const expertOf = Int32Array.from({ length: replicaCount }, (_, slot) => Math.min(slot, loads.length - 1));
  const rankOf = new Int32Array(replicaCount);
  const counts = new Int32Array(loads.length).fill(1);
  for (let slot = loads.length; slot < replicaCount; slot++) {
    let heaviest = 0;
    for (let expert = 1; expert < loads.length; expert++) {
      const load = fround(loads[expert]! / counts[expert]!);
      if (load > fround(loads[heaviest]! / counts[heaviest]!)) heaviest = expert;
    }
    expertOf[slot] = heaviest;
    rankOf[slot] = counts[heaviest]!++;
  }
  return { expertOf, rankOf, counts };
}
