// Where experts live in an expert-parallel unit. A physical expert is a replica of an expert in its place; every rank
// has the same number of them, in contiguous blocks. Without redundant experts, physical expert e is expert e; with
// them, EPLB says for each layer which experts have several replicas and where each one lies.
// Plain data: crosses to other threads as it is. It does not know which replica a token takes (`physical-choices.ts`).

import { defined, inputError, invariant } from "@windtunnel/base";
import { balanceExperts } from "./eplb.ts";

export interface ExpertPlacement {
  /** The experts that tokens choose from. */
  readonly expertCount: number;
  /** Experts and redundant experts: all replicas of a layer. */
  readonly physicalCount: number;
  /** Ranks of the unit. */
  readonly degree: number;
  /** Physical experts of each rank. */
  readonly expertsPerRank: number;
  /** Layers take these in turn, by their number; empty without redundant experts. */
  readonly replicaMaps: readonly ReplicaMap[];
}

/** The replicas of one layer. */
export interface ReplicaMap {
  /** [physical experts]: the expert that each one is a replica of. */
  readonly expertOf: Int32Array;
  /** [experts + 1]: replica r of expert e is physical expert physicalOf[offsets[e] + r]. */
  readonly offsets: Int32Array;
  /** [physical experts] */
  readonly physicalOf: Int32Array;
}

/** What EPLB goes by. */
export interface Redundancy {
  /** Replicas beyond one for each expert. */
  readonly count: number;
  /** Groups of consecutive experts; each stays on a node where the unit's nodes divide the groups. */
  readonly groupCount: number;
  /** Nodes of the unit. */
  readonly nodeCount: number;
  /** Expected loads, [experts] each; layers take them in turn. */
  readonly loads: readonly ArrayLike<number>[];
}

export interface PlacementOptions {
  readonly expertCount: number;
  readonly degree: number;
  readonly redundancy?: Redundancy;
}

export function placeExperts(options: PlacementOptions): ExpertPlacement {
  const { expertCount, degree, redundancy } = options;
  const redundantCount = redundancy?.count ?? 0;
  const problem = divisionProblem(expertCount, redundantCount, degree);
  if (problem !== undefined) {
    throw inputError(problem, {
      path: "parallelism.expertParallel",
      found: degree,
      allowed: `a divisor of ${expertCount + redundantCount}`,
    });
  }
  const physicalCount = expertCount + redundantCount;
  const expertsPerRank = physicalCount / degree;
  return { expertCount, physicalCount, degree, expertsPerRank, replicaMaps: replicaMaps(options) };
}

function replicaMaps({ expertCount, degree, redundancy }: PlacementOptions): ReplicaMap[] {
  if (redundancy === undefined || redundancy.count === 0) return [];
  const { count, groupCount, nodeCount, loads } = redundancy;
  invariant(loads.length > 0, "redundant experts are placed by expected loads");
  return loads.map((layerLoads) => {
    invariant(layerLoads.length === expertCount, `${layerLoads.length} loads of ${expertCount} experts`);
    const replicaCount = expertCount + count;
    const placed = balanceExperts(layerLoads, { replicaCount, groupCount, nodeCount, gpuCount: degree });
    const offsets = new Int32Array(expertCount + 1);
    for (const [expert, replicas] of placed.logicalCount.entries()) {
      offsets[expert + 1] = offsets[expert]! + replicas;
    }
    const physicalOf = new Int32Array(replicaCount);
    for (const [physical, expert] of placed.physicalToLogical.entries()) {
      physicalOf[offsets[expert]! + placed.replicaOfPhysical[physical]!] = physical;
    }
    return { expertOf: placed.physicalToLogical, offsets, physicalOf };
  });
}

/** Why experts can't be spread evenly over `degree` ranks, with the number of redundant ones that would do; or nothing. */
export function divisionProblem(
  expertCount: number,
  redundantCount: number,
  degree: number,
): string | undefined {
  if (degree >= 1 && (expertCount + redundantCount) % degree === 0) return undefined;
  const found = `${expertCount} experts + ${redundantCount} redundant do not divide by a degree of ${degree}`;
  return degree < 1
    ? found
    : `${found}; ${fittingCount(expertCount, redundantCount, degree)} redundant experts would`;
}

/** The number of redundant experts nearest to the one asked for with which all divide; the larger of two. */
function fittingCount(expertCount: number, redundantCount: number, degree: number): number {
  const above = redundantCount + degree - ((expertCount + redundantCount) % degree);
  const below = above - degree;
  return below >= 0 && redundantCount - below < above - redundantCount ? below : above;
}

/** The unit's rank that holds a physical expert. */
export function ownerOf(placement: ExpertPlacement, physical: number): number {
  const { physicalCount, expertsPerRank } = placement;
  invariant(physical >= 0 && physical < physicalCount, `physical expert ${physical} of ${physicalCount}`);
  return Math.floor(physical / expertsPerRank);
}

/** Physical experts that are replicas of an expert of a layer, by replica number. */
export function replicasOf(placement: ExpertPlacement, layer: number, expert: number): number[] {
  invariant(expert >= 0 && expert < placement.expertCount, `expert ${expert} of ${placement.expertCount}`);
  const map = replicaMapOf(placement, layer);
  return map === undefined
    ? [expert]
    : [...map.physicalOf.subarray(map.offsets[expert], map.offsets[expert + 1])];
}

/** The experts whose replicas a rank of the unit holds in a layer, in the order of its physical experts: [expertsPerRank]. */
export function expertsOfRank(placement: ExpertPlacement, layer: number, unitRank: number): number[] {
  const { degree, expertsPerRank } = placement;
  invariant(unitRank >= 0 && unitRank < degree, `rank ${unitRank} of a unit of ${degree}`);
  const map = replicaMapOf(placement, layer);
  const first = unitRank * expertsPerRank;
  return Array.from({ length: expertsPerRank }, (_, local) => map?.expertOf[first + local] ?? first + local);
}

/** Undefined without redundant experts. */
export function replicaMapOf({ replicaMaps: maps }: ExpertPlacement, layer: number): ReplicaMap | undefined {
  return maps.length === 0 ? undefined : defined(maps[layer % maps.length], `replicas of layer ${layer}`);
}
