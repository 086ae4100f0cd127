// The experiments of `docs/experiments.md`: each is run, and what the page claims is checked.

import { readFileSync } from "node:fs";
import {
  domainFactor,
  ecmpFactor,
  type Experiments,
  planeDifference,
  renderExperimentsDocument,
  runExperiments,
  savingOf,
} from "@windtunnel/fidelity";
import { beforeAll, describe, expect, test } from "vitest";

describe("the experiments", () => {
  let experiments: Experiments;
  beforeAll(() => {
    experiments = runExperiments();
  }, 120_000);

  test("are docs/experiments.md (if not: windtunnel validate --experiments --write docs/experiments.md)", () => {
    const page = readFileSync(new URL("../docs/experiments.md", import.meta.url), "utf8");
    expect(renderExperimentsDocument(experiments)).toBe(page);
  });

  test("ECMP on RoCE is at least 1.3 times slower than static and adaptive routing across leaves", () => {
    expect(ecmpFactor(experiments.routings, 2)).toBeGreaterThan(1.3);
    // With as many spines as nodes under a leaf it collides as well, and there is room for it.
    expect(ecmpFactor(experiments.routings, 4)).toBeGreaterThan(1);
    expect(ecmpFactor(experiments.routings, 4)).toBeLessThan(1.1);
  });

  test("multi-plane and multi-rail are within 3 % of each other on balanced all-to-alls", () => {
    expect(planeDifference(experiments.fabrics)).toBeLessThan(0.03);
  });

  test("each group more costs a token bytes and time, up to the six that it seldom passes", () => {
    const { nodeLimits } = experiments;
    const savings = nodeLimits.map((_, index) => savingOf(nodeLimits, index + 1));
    for (let limit = 2; limit <= 6; limit++) {
      expect(savings[limit - 1]!.bytes).toBeLessThan(savings[limit - 2]!.bytes);
      expect(savings[limit - 1]!.time).toBeLessThan(savings[limit - 2]!.time);
    }
    expect(savings[6]!.bytes).toBeLessThan(0.01);
  });

  test("DeepSeek-V3's limit of four groups saves a quarter of the bytes and less of the time", () => {
    const { bytes, time } = savingOf(experiments.nodeLimits, 4);
    // 3.98 nodes instead of 5.30, of which seven of eight are other nodes.
    expect(bytes).toBeGreaterThan(0.23);
    expect(bytes).toBeLessThan(0.27);
    expect(time).toBeGreaterThan(0.1);
    expect(time).toBeLessThan(bytes);
  });

  test("nine nodes with InfiniBand take at least four times as long as one NVLink domain of 72 GPUs", () => {
    const { nodes, domain } = experiments.domains;
    expect(domainFactor(experiments.domains)).toBeGreaterThan(4);
    expect(domain.result.dispatch.rdmaBytes).toBe(0);
    expect(domain.result.rowsPerRank.mean).toBe(nodes.result.rowsPerRank.mean);
  });
});
