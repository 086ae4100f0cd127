// I6: the example of EPLB's README, both layers: where every replica goes, and the loads of the GPUs that follow.

import { balanceExperts } from "@windtunnel/router";
import { exactRow, exactText, type FidelityRow } from "../row.ts";

interface Example {
  readonly loads: readonly number[];
  readonly placement: readonly number[];
  readonly gpuLoads: readonly number[];
  /** Greatest over mean. */
  readonly imbalance: number;
}

const EXAMPLES: readonly Example[] = [
  {
    loads: [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
    placement: [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1],
    gpuLoads: [121.5, 86.5, 125, 113, 147.5, 131.5, 156, 152],
    imbalance: 1.208,
  },
  {
    loads: [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
    placement: [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1],
    gpuLoads: [173, 179.5, 120.5, 172, 123, 152, 118.5, 117.5],
    imbalance: 1.242,
  },
];

const SIZES = { replicaCount: 16, groupCount: 4, nodeCount: 2, gpuCount: 8 };

export function eplbRows(): FidelityRow[] {
  return EXAMPLES.flatMap(({ loads, placement, gpuLoads, imbalance }, layer) => {
    const { physicalToLogical, logicalCount } = balanceExperts(loads, SIZES);
    const ourLoads = Array.from({ length: SIZES.gpuCount }, (_, gpu) => {
      const perGpu = SIZES.replicaCount / SIZES.gpuCount;
      const held = physicalToLogical.subarray(gpu * perGpu, (gpu + 1) * perGpu);
      return held.reduce((sum, expert) => sum + loads[expert]! / logicalCount[expert]!, 0);
    });
    const mean = ourLoads.reduce((sum, load) => sum + load, 0) / ourLoads.length;
    const most = ourLoads.reduce((greatest, load) => Math.max(greatest, load), 0);
    const source = "deepseek-ai/EPLB, README";
    return [
      exactText({
        quantity: `layer ${layer}, expert of each of 16 slots`,
        published: placement.join(" "),
        ours: [...physicalToLogical].join(" "),
        source,
      }),
      exactText({
        quantity: `layer ${layer}, loads of 8 GPUs`,
        published: gpuLoads.join(" "),
        ours: ourLoads.join(" "),
        source: `${source}, derived`,
      }),
      exactRow({
        quantity: `layer ${layer}, greatest load over mean`,
        published: imbalance,
        ours: most / mean,
        unit: "",
        decimals: 3,
        source: `${source}, derived`,
      }),
    ];
  });
}
