import { expect, test } from "vitest";
import {
  checkTopologyDescription,
  topologyComparison,
  topologyCounts,
  topologyCountsOfFatTree2,
  topologyCountsOfMultiPlane,
} from "./index.ts";

test("switches of 64 ports give the published table exactly", () => {
  const rows = topologyComparison(64).map(({ name, endpoints, switches, links }) => [
    name,
    endpoints,
    switches,
    links,
  ]);
  expect(rows).toEqual([
    ["FT2", 2048, 96, 2048],
    ["MPFT", 16_384, 768, 16_384],
    ["FT3", 65_536, 5120, 131_072],
    ["Slim Fly", 32_928, 1568, 32_928],
    ["Dragonfly", 261_632, 16_352, 384_272],
  ]);
});

test("costs are those of the publication, and nothing for other switches", () => {
  const costs = topologyComparison().map(({ publishedCost }) => publishedCost?.millionDollars);
  expect(costs).toEqual([9, 72, 491, 146, 1522]);
  expect(topologyComparison(32).every(({ publishedCost }) => publishedCost === undefined)).toBe(true);
});

test.each([8, 16, 32, 64, 128])(
  "a full plane of switches with %i ports has the counts of its formula",
  (radix) => {
    const fields = { nodes: radix ** 2 / 2, switchPorts: radix, planes: 1 };
    const { endpoints, switches, switchLinks } = topologyCounts(checkTopologyDescription(fields));
    expect({ endpoints, switches, links: switchLinks }).toEqual(topologyCountsOfFatTree2(radix));
    const eight = topologyCounts(checkTopologyDescription({ ...fields, planes: 8 }));
    expect(eight.endpoints).toBe(topologyCountsOfMultiPlane(radix).endpoints);
    expect(eight.switchLinks).toBe(topologyCountsOfMultiPlane(radix).links);
  },
);

test("every radix gives a Slim Fly and a Dragonfly whose switches have enough ports", () => {
  for (let radix = 8; radix <= 256; radix += 2) {
    for (const { name, endpoints, switches, links } of topologyComparison(radix)) {
      expect(Number.isInteger(endpoints) && Number.isInteger(switches), `${name} ${radix}`).toBe(true);
      // Two ports for a cable, one for an endpoint.
      expect(2 * links + endpoints, `${name} ${radix}`).toBeLessThanOrEqual(switches * radix);
    }
  }
});
