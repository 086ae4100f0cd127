// Max-min fair rates against cases that can be done by hand, and against a plain twin that looks at every flow and
// every link at every event.

import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import {
  createFatTreePlane,
  type FlowFile,
  fluidFinishTimes,
  type FluidFlow,
  MaxMinRates,
  NETWORK_PROFILES,
  simulateFlows,
} from "./index.ts";
import { drawFlowFile } from "./test-support/drawn-flows.ts";

const SEEDS = [1, Number(process.env["WINDTUNNEL_TEST_SEED"] ?? Date.now() % 1_000_000_007)];

function ratesOf(capacities: readonly number[], paths: readonly (readonly number[])[]): number[] {
  const shares = new MaxMinRates(capacities, paths);
  for (const flow of paths.keys()) shares.add(flow);
  shares.update();
  return [...shares.rates];
}

describe("max-min fair rates", () => {
  test("n flows over one link get an n-th each", () => {
    expect(
      ratesOf(
        [12],
        Array.from({ length: 8 }, () => [0]),
      ),
    ).toEqual(Array(8).fill(1.5));
  });

  test("the parking lot: one flow over both links, one over each, a half for all", () => {
    expect(ratesOf([1, 1], [[0, 1], [0], [1]])).toEqual([0.5, 0.5, 0.5]);
  });

  test("what a flow can't use goes to the others", () => {
    // Link 0 holds its two flows to 1 each; of link 1's 10, the second flow there gets the other 9.
    expect(ratesOf([2, 10], [[0], [0, 1], [1]])).toEqual([1, 1, 9]);
    // Link 2 gives 1/3 to each of its three; link 1 then has 2/3 left for one; link 0 what remains of 5.
    const rates = ratesOf([5, 1, 1], [[0, 1, 2], [1], [2], [2], [0]]);
    for (const [flow, rate] of [1 / 3, 2 / 3, 1 / 3, 1 / 3, 14 / 3].entries()) {
      expect(rates[flow]).toBeCloseTo(rate, 12);
    }
  });

  test("only flows that a change reaches are looked at again", () => {
    const shares = new MaxMinRates([4, 4, 9], [[0], [0, 1], [1], [2], [2]]);
    for (let flow = 0; flow < 4; flow++) shares.add(flow);
    expect(shares.update().toSorted()).toEqual(Int32Array.of(0, 1, 2, 3));
    shares.add(4);
    expect(shares.update().toSorted()).toEqual(Int32Array.of(3, 4));
    shares.remove(0);
    // Flow 1 keeps its half of link 1, and so does flow 2.
    expect([...shares.update()]).toEqual([]);
    shares.remove(1);
    expect([...shares.update()]).toEqual([2]);
    expect([...shares.rates]).toEqual([0, 0, 4, 4.5, 4.5]);
  });

  test("refuses links without capacity, flows without links, and what begins twice", () => {
    expect(() => new MaxMinRates([0], [[0]])).toThrow(/link 0 has a capacity of 0/);
    expect(() => new MaxMinRates([1], [[]])).toThrow(/flow 0 has no links/);
    expect(() => new MaxMinRates([1], [[1]])).toThrow(/flow 0 over link 1/);
    const shares = new MaxMinRates([1], [[0]]);
    shares.add(0);
    expect(() => shares.add(0)).toThrow(/begins twice/);
  });
});

describe("fluid finish times", () => {
  test("a flow shares from the instant at which another becomes active", () => {
    // 100 bytes at 1 byte/ns. Alone until 50; then half each: the first ends at 50 + 50/0.5 = 150, when the second
    // has 50 left, alone: 200.
    const flows = [0, 50].map((activeAtNs): FluidFlow => ({ path: [0], bytes: 100, activeAtNs }));
    expect([...fluidFinishTimes([1], flows)]).toEqual([150, 200]);
  });

  test("no flows take no time, and a pause between flows is skipped", () => {
    expect([...fluidFinishTimes([1], [])]).toEqual([]);
    const flows = [1000, 0].map((activeAtNs): FluidFlow => ({ path: [0], bytes: 3, activeAtNs }));
    expect([...fluidFinishTimes([0.5], flows)]).toEqual([1006, 6]);
  });
});

/** The plain twin: every link and every flow, at every event, until nothing is left to fix. */
function plainRates(
  capacities: readonly number[],
  flows: readonly FluidFlow[],
  isActive: boolean[],
): number[] {
  const rates = flows.map(() => 0);
  const isFixed = isActive.map((active) => !active);
  for (;;) {
    let [least, limiting] = [Number.POSITIVE_INFINITY, -1];
    for (const [link, capacity] of capacities.entries()) {
      const [there, open] = [[] as number[], [] as number[]];
      for (const [flow, { path }] of flows.entries()) {
        if (!isActive[flow] || !path.includes(link)) continue;
        (isFixed[flow] ? there : open).push(flow);
      }
      const share = there.reduce((left, flow) => left - rates[flow]!, capacity) / open.length;
      if (open.length > 0 && share < least) [least, limiting] = [share, link];
    }
    if (limiting < 0) return rates;
    for (const [flow, { path }] of flows.entries()) {
      if (isFixed[flow] || !path.includes(limiting)) continue;
      rates[flow] = least;
      isFixed[flow] = true;
    }
  }
}

function plainFinishTimes(capacities: readonly number[], flows: readonly FluidFlow[]): number[] {
  const left = flows.map(({ bytes }) => bytes);
  const finish = flows.map(() => Number.NaN);
  let now = 0;
  while (finish.some(Number.isNaN)) {
    const isActive = flows.map(({ activeAtNs }, flow) => activeAtNs <= now && Number.isNaN(finish[flow]));
    const rates = plainRates(capacities, flows, isActive);
    let [next, ending] = [Number.POSITIVE_INFINITY, -1];
    for (const [flow, { activeAtNs }] of flows.entries()) {
      const end = isActive[flow] ? now + left[flow]! / rates[flow]! : Number.POSITIVE_INFINITY;
      if (end < next) [next, ending] = [end, flow];
      if (activeAtNs > now && activeAtNs < next) [next, ending] = [activeAtNs, -1];
    }
    for (const [flow, rate] of rates.entries()) left[flow] = Math.max(0, left[flow]! - rate * (next - now));
    if (ending >= 0) finish[ending] = next;
    now = next;
  }
  return finish;
}

interface RandomCase {
  readonly capacities: readonly number[];
  readonly flows: readonly FluidFlow[];
}

/** Up to 9 links of unequal or equal capacity, up to 24 flows over 1 to 4 of them; often several at one instant. */
function randomCase(random: RandomStream): RandomCase {
  const [linkCount, flowCount] = [1 + random.below(9), 1 + random.below(24)];
  const isUneven = random.below(2) === 1;
  const capacities = Array.from({ length: linkCount }, () => (isUneven ? 1 + random.below(100) : 50));
  const flows = Array.from({ length: flowCount }, (): FluidFlow => {
    const links = Array.from({ length: 1 + random.below(4) }, () => random.below(linkCount));
    const bytes = random.below(3) === 0 ? 5000 : 1 + random.below(100_000);
    return { path: [...new Set(links)], bytes, activeAtNs: 500 * random.below(8) };
  });
  return { capacities, flows };
}

/** The finish times of a file by the plain twin. */
function plainFinishTimesOf({ fabric, flows }: FlowFile): number[] {
  const { nodes, nodesPerLeaf, planes, gpusPerNode, linkGBps, linkLatencyNs } = fabric;
  const finishNs = flows.map(() => Number.NaN);
  for (let plane = 0; plane < planes; plane++) {
    const { links, pathOf } = createFatTreePlane({
      plane,
      nodes,
      nodesPerLeaf,
      spines: fabric.spinesPerPlane,
      linkBytesPerSecond: linkGBps * 1e9,
      network: NETWORK_PROFILES.infiniband,
    });
    const places = [...flows.keys()].filter((place) => flows[place]!.from % gpusPerNode === plane);
    const fluidFlows = places.map((place): FluidFlow => {
      const { from, to, bytes, startNs } = flows[place]!;
      const path = pathOf(Math.floor(from / gpusPerNode), Math.floor(to / gpusPerNode));
      return { path, bytes, activeAtNs: startNs + path.length * linkLatencyNs };
    });
    const plain = plainFinishTimes(
      links.map(() => linkGBps),
      fluidFlows,
    );
    for (const [i, place] of places.entries()) finishNs[place] = plain[i]!;
  }
  return finishNs;
}

/** Up to a hundred flows on each plane; where sizes differ by magnitudes, most links change hands often. */
const LARGER = {
  nodes: [16],
  planes: [3],
  flowCount: { least: 300, most: 300 },
  sizes: "by-magnitude",
  mostBytes: 1e6,
} as const;

describe.each(SEEDS)("fluid, seed %i", (seed) => {
  const random = new RandomStream(seed, "fluid flows");
  const cases = Array.from({ length: 150 }, () => randomCase(random));
  const where = `repeat with WINDTUNNEL_TEST_SEED=${seed} npx vitest run --project unit packages/network-plane/src/fluid.test.ts`;

  test("agrees with the plain twin", () => {
    for (const [index, { capacities, flows }] of cases.entries()) {
      const finish = fluidFinishTimes(capacities, flows);
      for (const [flow, plain] of plainFinishTimes(capacities, flows).entries()) {
        const error = Math.abs(finish[flow]! - plain) / (plain - flows[flow]!.activeAtNs);
        expect(error, `case ${index}, flow ${flow}; ${where}`).toBeLessThan(1e-9);
      }
    }
  });

  test.each([false, true])(
    "agrees with the plain twin on 300 flows over 16 nodes and 3 planes, incast: %j",
    (isIncast) => {
      const file = drawFlowFile({ ...LARGER, name: "plain twin", isIncast }, seed);
      const { flows } = simulateFlows(file, "fluid");
      for (const [flow, plain] of plainFinishTimesOf(file).entries()) {
        const error = Math.abs(flows[flow]!.finishNs - plain) / (plain - file.flows[flow]!.startNs);
        expect(error, `flow ${flow}; ${where}`).toBeLessThan(1e-9);
      }
    },
  );

  test("no link carries more than it can, and every active flow is among the fastest of a full link", () => {
    for (const [index, { capacities, flows }] of cases.entries()) {
      let observations = 0;
      fluidFinishTimes(capacities, flows, (_, rates) => {
        observations++;
        const load = capacities.map(() => 0);
        const fastest = capacities.map(() => 0);
        for (const [flow, { path }] of flows.entries()) {
          for (const link of path) {
            load[link] = load[link]! + rates[flow]!;
            fastest[link] = Math.max(fastest[link]!, rates[flow]!);
          }
        }
        for (const [link, capacity] of capacities.entries()) {
          expect(load[link], `case ${index}, link ${link}; ${where}`).toBeLessThanOrEqual(
            capacity * (1 + 1e-12),
          );
        }
        for (const [flow, { path }] of flows.entries()) {
          const rate = rates[flow]!;
          if (rate === 0) continue;
          const isLimited = path.some(
            (link) => load[link]! >= capacities[link]! * (1 - 1e-9) && rate >= fastest[link]! * (1 - 1e-9),
          );
          expect(isLimited, `case ${index}, flow ${flow}; ${where}`).toBe(true);
        }
      });
      // An event for each distinct start, and at most one for each end.
      expect(observations).toBeLessThanOrEqual(2 * flows.length);
    }
  });
});
