import { WorldError } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { checkFlowFile } from "./index.ts";

const FABRIC = {
  nodes: 4,
  gpusPerNode: 2,
  planes: 2,
  nodesPerLeaf: 2,
  spinesPerPlane: 2,
  linkGBps: 50,
  linkLatencyNs: 500,
  routing: "static",
};
const FLOW = { id: 0, from: 0, to: 2, bytes: 1, startNs: 0 };

function refusalOf(value: unknown): WorldError {
  try {
    checkFlowFile(value, "flows.json");
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("the file was taken");
}

const withFabric = (change: object): unknown => ({ fabric: { ...FABRIC, ...change }, flows: [FLOW] });
const withFlow = (change: object): unknown => ({
  fabric: FABRIC,
  flows: [FLOW, { ...FLOW, id: 1, ...change }],
});

describe("a flow file", () => {
  test("is taken as it stands, with another simulator's finish times or without, and without ids", () => {
    const { id: _, ...bare } = FLOW;
    for (const value of [
      { fabric: FABRIC, flows: [FLOW] },
      { oracle: "SimGrid", fabric: FABRIC, flows: [{ ...FLOW, finishNs: 12.5 }] },
      { fabric: FABRIC, flows: [bare, bare, { ...bare, startNs: 0.5 }] },
      { fabric: FABRIC, flows: [] },
      { fabric: { ...FABRIC, nodesPerLeaf: 4, spinesPerPlane: 0 }, flows: [FLOW] },
      { fabric: { ...FABRIC, routing: "adaptive" }, flows: [FLOW] },
    ]) {
      expect(checkFlowFile(value, "flows.json")).toEqual(value);
    }
  });

  test.each([
    ["no object", [], "found []; allowed: an object with fabric and flows"],
    ["no fabric", { flows: [] }, "fabric: found nothing; allowed: fields nodes, gpusPerNode"],
    ["no flows", { fabric: FABRIC }, "flows: found nothing; allowed: a list of flows"],
    [
      "an unknown field on top",
      { ...(withFlow({}) as object), notes: 1 },
      'notes: found unknown field "notes"',
    ],
    ["an unknown field of the fabric", withFabric({ node: 3 }), 'fabric.node: found unknown field "node"'],
    [
      "an unknown field of a flow",
      withFlow({ size: 3 }),
      "known here: id, from, to, bytes, startNs, finishNs",
    ],
    [
      "half a node",
      withFabric({ nodes: 1.5 }),
      "fabric.nodes: found 1.5; allowed: a whole number of at least 1",
    ],
    ["no nodes", withFabric({ nodes: 0 }), "fabric.nodes: found 0"],
    [
      "links without bandwidth",
      withFabric({ linkGBps: 0 }),
      "fabric.linkGBps: found 0; allowed: 1e9 bytes per second",
    ],
    [
      "links without latency",
      withFabric({ linkLatencyNs: 0 }),
      "fabric.linkLatencyNs: found 0; allowed: nanoseconds",
    ],
    [
      "another routing",
      withFabric({ routing: "spray" }),
      'fabric.routing: found "spray"; allowed: static, ecmp, adaptive',
    ],
    [
      "leaves without an uplink",
      withFabric({ spinesPerPlane: 0 }),
      "found 0: 2 leaves without an uplink; allowed: at least 1",
    ],
    ["a plane nobody hangs on", withFabric({ planes: 3 }), "nobody hangs on plane 2; allowed: 1 to 2"],
    ["too many links", withFabric({ nodes: 1e6, nodesPerLeaf: 1 }), "fabric: found a plane of 6000000 links"],
    ["a source that is no rank", withFlow({ from: 8 }), "flows.1.from: found 8; allowed: a rank, 0 to 7"],
    ["a target that is no rank", withFlow({ to: 9 }), "flows.1.to: found 9; allowed: a rank, 0 to 7"],
    [
      "a flow to itself",
      withFlow({ to: 0 }),
      "flows.1.to: found 0, which is also from; allowed: another rank",
    ],
    [
      "a flow between planes",
      withFlow({ to: 3 }),
      "flows.1: found from 0 on plane 0 and to 3 on plane 1; allowed: two ranks of one plane",
    ],
    [
      "a flow without bytes",
      withFlow({ bytes: 0 }),
      "flows.1.bytes: found 0; allowed: a whole number of at least 1",
    ],
    [
      "a flow before the start",
      withFlow({ startNs: -1 }),
      "flows.1.startNs: found -1; allowed: nanoseconds, at least 0",
    ],
    ["an id that is taken", withFlow({ id: 0 }), "flows.1.id: found 0, which flows.0 has"],
  ])("is refused with %s", (_, value, expected) => {
    const { message, exitCode, details } = refusalOf(value);
    expect(message).toContain(expected);
    expect(message).toMatch(/^flows\.json: /);
    expect([exitCode, details.file]).toEqual([2, "flows.json"]);
  });

  test("is refused where a GPU hangs on no plane", () => {
    const value = { fabric: { ...FABRIC, planes: 1 }, flows: [{ ...FLOW, from: 1, to: 3 }] };
    expect(refusalOf(value).message).toContain("allowed: two ranks of one plane, 0 to 0");
  });

  test("is refused with all that is wrong, and not more than a screen of it", () => {
    const flows = Array.from({ length: 20 }, (_, id) => ({ ...FLOW, id, bytes: 0 }));
    const { message, details } = refusalOf({ fabric: FABRIC, flows });
    expect(message.split("\n").length).toBe(10);
    expect(message).toMatch(/20 problems\n {2}flows\.0\.bytes: found 0.*\n {2}and 12 more$/s);
    expect(details["problems"]).toHaveLength(20);
  });
});
