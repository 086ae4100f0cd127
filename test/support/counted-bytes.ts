// Compares an all-to-all with the count of `counted-exchange.ts`: messages, and bytes of every kind of wire and every
// switch.

import { type AllToAllOptions, drawnChoices, runAllToAll, withBenchmarkDefaults } from "@windtunnel/cluster";
import { expect } from "vitest";
import { countExchange } from "./counted-exchange.ts";

/** Nodes under a leaf are few, so that spines are crossed wherever there are several nodes. */
export function spreadOptions(given: Partial<AllToAllOptions>): AllToAllOptions {
  const { ranks = 16 } = given;
  const nodesPerLeaf = { 64: 2, 128: 4, 256: 4 }[ranks] ?? 1;
  return withBenchmarkDefaults({ fabric: { nodesPerLeaf, spinesPerPlane: 3 }, ...given });
}

/** `told` stands in the message of a failure. */
export function expectCountedBytes(given: Partial<AllToAllOptions>, told: string = ""): void {
  const options = spreadOptions(given);
  const counted = countExchange(options, drawnChoices(options));
  const { dispatch, combine, loads } = runAllToAll(options);
  expect(dispatch, told).toMatchObject(counted.dispatch);
  expect(combine, told).toMatchObject(counted.combine);
  expect(new Map(loads.map(({ name, bytes }) => [name, bytes])), told).toEqual(counted.loads);
  const { ranks, gpusPerNode, fabric } = options;
  const crossesSpines = ranks / gpusPerNode > Number(fabric["nodesPerLeaf"]);
  expect(
    loads.some(({ kind }) => kind === "spine"),
    told,
  ).toBe(crossesSpines);
}
