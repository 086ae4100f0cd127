// Fat-trees as they are built: which links a parcel takes from NIC to NIC, by kind, and that every port is reached.

import { createHash } from "node:crypto";
import { mix32, RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import {
  checkTopologyDescription,
  createFatTreePlane,
  createJoinedRails,
  createPlaneTopology,
  createSinglePlane,
  LinkTable,
  NETWORK_PROFILES,
  type Routing,
  type Topology,
} from "./index.ts";

const network = NETWORK_PROFILES.infiniband;
const SHAPE = { nodes: 5, nodesPerLeaf: 2, spines: 3, linkBytesPerSecond: 50e9, network } as const;
const NICS = 4;
const ROUTINGS: readonly Routing[] = ["static", "ecmp", "adaptive"];

const namesOf = ({ links }: Topology, path: readonly number[]): string[] =>
  path.map((link) => links[link]!.name);
/** Node and NIC as a port of joined rails or of a single plane. */
const port = (node: number, nic: number): number => node * NICS + nic;

describe("joined rails", () => {
  const rails = createJoinedRails({ ...SHAPE, nics: NICS });

  test("a leaf serves one rail, and hangs on the spines that all rails share", () => {
    expect(namesOf(rails, rails.pathOf(port(0, 3), port(1, 3)))).toEqual([
      "rail 3 / node 0 > leaf 0",
      "rail 3 / leaf 0 > node 1",
    ]);
    // Node 4 is on the third leaf; spine 4 modulo 3.
    expect(namesOf(rails, rails.pathOf(port(0, 3), port(4, 3)))).toEqual([
      "rail 3 / node 0 > leaf 0",
      "rail 3 / leaf 0 > spine 1",
      "rail 3 / spine 1 > leaf 2",
      "rail 3 / leaf 2 > node 4",
    ]);
    expect(rails.links.map(({ cable }) => cable)).toContain("rail 3 / leaf 0 - spine 1");
  });

  test("another rail is reached over a spine, also at a neighbour and at the own node", () => {
    for (const [node, spine] of [
      [1, 1],
      [0, 0],
    ] as const) {
      expect(namesOf(rails, rails.pathOf(port(0, 0), port(node, 2)))).toEqual([
        "rail 0 / node 0 > leaf 0",
        `rail 0 / leaf 0 > spine ${spine}`,
        `rail 2 / spine ${spine} > leaf 0`,
        `rail 2 / leaf 0 > node ${node}`,
      ]);
    }
  });

  test("what stays on a rail takes the links that it would take on a plane, whatever the routing", () => {
    for (const routing of ROUTINGS) {
      const joined = createJoinedRails({ ...SHAPE, nics: NICS, routing });
      for (let rail = 0; rail < NICS; rail++) {
        const plane = createFatTreePlane({ ...SHAPE, plane: rail, routing });
        for (let source = 0; source < SHAPE.nodes; source++) {
          for (let target = 0; target < SHAPE.nodes; target++) {
            const flow = mix32(source * 64 + target);
            const onRail = namesOf(joined, joined.pathOf(port(source, rail), port(target, rail), flow));
            const onPlane = namesOf(plane, plane.pathOf(source, target, flow));
            expect(onRail).toEqual(onPlane.map((name) => name.replace("plane", "rail")));
          }
        }
      }
    }
  });

  test("with one leaf for each of two rails they still need a spine; one rail alone does not", () => {
    const small = { ...SHAPE, nodes: 2, spines: 1 };
    const two = createJoinedRails({ ...small, nics: 2 });
    expect(namesOf(two, two.pathOf(0, 3))).toContain("rail 0 / leaf 0 > spine 0");
    const one = createJoinedRails({ ...small, spines: 0, nics: 1 });
    expect(one.links).toHaveLength(4);
    expect(() => createJoinedRails({ ...small, spines: 0, nics: 2 })).toThrow(/2 leaves and no spine/);
  });
});

describe("a single plane", () => {
  const plane = createSinglePlane({ ...SHAPE, nics: NICS });

  test("a leaf serves all NICs of its nodes, so that another index needs no spine", () => {
    expect(namesOf(plane, plane.pathOf(port(0, 0), port(1, 3)))).toEqual([
      "plane 0 / node 0 nic 0 > leaf 0",
      "plane 0 / leaf 0 > node 1 nic 3",
    ]);
    expect(namesOf(plane, plane.pathOf(port(0, 0), port(2, 1)))).toEqual([
      "plane 0 / node 0 nic 0 > leaf 0",
      // NIC 1 of node 2 is endpoint 9: 9 modulo 3.
      "plane 0 / leaf 0 > spine 0",
      "plane 0 / spine 0 > leaf 1",
      "plane 0 / leaf 1 > node 2 nic 1",
    ]);
  });
});

/** Of all links, and of 2,000 paths on each of two planes: what runs on multi-plane fabrics rests on. */
const MULTI_PLANE_DIGESTS: Readonly<Record<Routing, string>> = {
  static: "a0f4293dfa5fa2a285bd3ecdfc638d3402f149642f57ec5d9aee2ac8aa5263a8",
  ecmp: "ae88a4a73bf08a02f2e8e8fbd688221e38dc189ebf1d14da76a862681c42efb1",
  adaptive: "f2c08a3aec1cc23e1c732ed1e18ff86cad2aaf110433a804f3a9a3fb02ac9033",
};

test.each(ROUTINGS)("planes of a multi-plane fabric keep every link and path, %s", (routing) => {
  const random = new RandomStream(9, routing);
  const hash = createHash("sha256");
  for (const plane of [0, 5]) {
    const shape = { nodes: 23, nodesPerLeaf: 4, spines: 5, linkBytesPerSecond: 41e9, network };
    const topology = createFatTreePlane({ plane, ...shape, routing });
    hash.update(JSON.stringify(topology.links));
    const table = new LinkTable(topology.links);
    for (let i = 0; i < 2000; i++) {
      const [source, target, flow] = [random.below(23), random.below(23), random.uint32()];
      let path = topology.pathOf(source, target, flow);
      path = topology.reroute?.(path, table) ?? path;
      for (const link of path) table.occupy(link, random.below(1e6), i, i);
      hash.update(path.join());
    }
  }
  expect(hash.digest("hex")).toBe(MULTI_PLANE_DIGESTS[routing]);
});

describe("every fat-tree", () => {
  test.each(["multi-plane", "multi-rail", "single-plane"])("%s: paths are joined end to end", (kind) => {
    const random = new RandomStream(3, kind);
    for (const routing of ROUTINGS) {
      const fields = { kind, nodes: 9, gpusPerNode: 4, nodesPerLeaf: 2, spinesPerPlane: 3, routing };
      const description = checkTopologyDescription(fields);
      const topology = createPlaneTopology(description, 0);
      const ports = kind === "multi-plane" ? 9 : 36;
      const table = new LinkTable(topology.links);
      for (let i = 0; i < 300; i++) {
        const [source, target] = [random.below(ports), random.below(ports)];
        let path = topology.pathOf(source, target, random.uint32());
        path = topology.reroute?.(path, table) ?? path;
        for (const link of path) table.occupy(link, 1000, i, i);
        const ends = path.map((link) => / \/ (.*) > (.*)$/.exec(topology.links[link]!.name)!.slice(1));
        expect(ends[0]![0]).toBe(/ \/ (.*) > /.exec(topology.links[2 * source]!.name)![1]);
        expect(ends.at(-1)![1]).toBe(/ > (.*)$/.exec(topology.links[2 * target + 1]!.name)![1]);
        for (const [index, [from]] of ends.entries()) if (index > 0) expect(from).toBe(ends[index - 1]![1]);
        expect([2, 4]).toContain(path.length);
      }
    }
  });

  test.each(ROUTINGS)("%s: eight flows to one node cross as the routing says", (routing) => {
    const topology = createSinglePlane({ ...SHAPE, nodes: 4, spines: 8, nics: 8, routing });
    const table = new LinkTable(topology.links);
    const spines = Array.from({ length: 8 }, (_, nic) => {
      const path = topology.pathOf(nic, 16 + nic, mix32(nic));
      const taken = topology.reroute?.(path, table) ?? path;
      for (const link of taken) table.occupy(link, 1e6, 0, 0);
      return topology.links[taken[1]!]!.name.split("> ")[1]!;
    });
    const count = new Set(spines).size;
    // Static: each to the spine of its NIC. A hash lets some collide. Adaptive: each its own.
    if (routing !== "ecmp") expect(count).toBe(8);
    else expect(count > 1 && count < 8).toBe(true);
  });
});
