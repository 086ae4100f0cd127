import { describe, expect, test } from "vitest";
import { type AllToAllResult, runAllToAll } from "./all-to-all.ts";
import { type AllToAllOptions, withBenchmarkDefaults } from "./all-to-all-options.ts";
import type { LinkGroupLoad } from "./link-loads.ts";

const FABRIC = { nodesPerLeaf: 2, spinesPerPlane: 3 };

function measure(given: Partial<AllToAllOptions>): AllToAllResult {
  return runAllToAll(
    withBenchmarkDefaults({ pattern: "normal", ranks: 32, tokens: [64], fabric: FABRIC, ...given }),
  );
}

function parts({ loads }: AllToAllResult, kind: LinkGroupLoad["kind"]): { names: string[]; bytes: number } {
  const found = loads.filter((load) => load.kind === kind);
  return { names: found.map(({ name }) => name), bytes: found.reduce((sum, { bytes }) => sum + bytes, 0) };
}

const bytesOf = ({ dispatch, combine }: AllToAllResult, wire: "nvlinkBytes" | "rdmaBytes"): number =>
  dispatch[wire] + combine[wire];

const countTo = (count: number, name: (index: number) => string): string[] =>
  Array.from({ length: count }, (_, index) => name(index));

describe("loads by part of the fabric", () => {
  test("multi-plane: planes carry what enters NICs, NVLink what enters it, leaves and spines what leaves them", () => {
    const result = measure({});
    expect(parts(result, "plane")).toEqual({
      names: countTo(8, (plane) => `plane ${plane}`),
      bytes: bytesOf(result, "rdmaBytes"),
    });
    expect(parts(result, "nvlink")).toEqual({
      names: countTo(4, (node) => `node ${node} nvlink`),
      bytes: bytesOf(result, "nvlinkBytes"),
    });
    // Two nodes under each of two leaves: a byte leaves one leaf, or a leaf, a spine and a leaf.
    const { names, bytes } = parts(result, "leaf");
    expect(names).toHaveLength(8 * 2);
    expect(names).toContain("plane 7 / leaf 1");
    expect(bytes).toBe(bytesOf(result, "rdmaBytes") + parts(result, "spine").bytes);
  });

  test("multi-rail: rails have leaves of their own and share spines", () => {
    const result = measure({ fabric: { kind: "multi-rail", ...FABRIC } });
    expect(parts(result, "plane").names).toEqual(countTo(8, (rail) => `rail ${rail}`));
    expect(parts(result, "spine").names.toSorted()).toEqual(countTo(3, (spine) => `spine ${spine}`));
    expect(parts(result, "leaf").names).toContain("rail 7 / leaf 1");
  });

  test("single-plane: one plane for all NICs", () => {
    const result = measure({ fabric: { kind: "single-plane", ...FABRIC } });
    expect(parts(result, "plane")).toEqual({ names: ["plane 0"], bytes: bytesOf(result, "rdmaBytes") });
  });

  test("nvlink-domain: one switch, and no plane", () => {
    const result = measure({ fabric: { kind: "nvlink-domain" } });
    expect(result.loads.map(({ kind, name }) => [kind, name])).toEqual([["nvlink", "nvlink"]]);
    expect(parts(result, "nvlink").bytes).toBe(bytesOf(result, "nvlinkBytes"));
  });

  test("PCIe, where it is shown, carries what enters and what leaves a NIC", () => {
    const result = measure({ fabric: { ...FABRIC, pcie: true } });
    expect(parts(result, "pcie")).toEqual({
      names: countTo(4, (node) => `node ${node} pcie`),
      bytes: 2 * bytesOf(result, "rdmaBytes"),
    });
    expect(parts(measure({}), "pcie").names).toEqual([]);
  });

  test("the longest queue is in front of the port that several nodes send to at once", () => {
    // Without NVLink all ranks of a node and of the other one share the links of a single leaf.
    const result = measure({ pattern: "low-latency", ranks: 16, nvlink: false });
    const queue = Math.max(...result.loads.map(({ peakQueueBytes }) => peakQueueBytes));
    expect(queue).toBeGreaterThan(0);
    expect(result.loads.every(({ peakQueueBytes: bytes }) => Number.isInteger(bytes))).toBe(true);
  });
});
