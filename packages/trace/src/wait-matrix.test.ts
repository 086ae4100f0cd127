import { expect, test } from "vitest";
import { RandomStream } from "@windtunnel/base";
import type { RankStep } from "./rank-steps.ts";
import type { RecordedMessage, RecordedSpan } from "./record-layout.ts";
import { WaitMatrix } from "./wait-matrix.ts";

const RANKS = 8;

/** Every rank's part in an exchange whose messages arrive after `waitOf` microseconds. */
function matrixOf(waitOf: (receiver: number, source: number) => number): WaitMatrix {
  const ranks = Array.from({ length: RANKS }, (_, rank) => rank);
  const matrix = new WaitMatrix(ranks.map((rank) => ({ rank, node: rank })));
  for (const receiver of ranks) {
    const place = { step: 0, layer: 3, microBatch: 0 };
    const sent = { ...place, name: "dispatch.send", start: 0, end: 1e6 } as unknown as RecordedSpan;
    const messages = ranks
      .filter((source) => source !== receiver)
      .map((source) => {
        const arrivedAt = 1e6 + waitOf(receiver, source) * 1e6;
        return { ...place, phase: "dispatch", source, arrivedAt } as unknown as RecordedMessage;
      });
    const step: RankStep = { step: 0, record: undefined, spans: [sent], messages };
    matrix.add(receiver, step);
  }
  return matrix;
}

/** Ranks send to the others in turn, so that a wait grows with the distance; and no two are quite alike. */
function usual(receiver: number, source: number): number {
  const noise = new RandomStream(1, `${receiver} ${source}`).uniform();
  return 10 + 4 * ((receiver - source + RANKS) % RANKS) + noise;
}

test("waits are means by receiver and source, from the end of the receiver's own send", () => {
  const means = matrixOf((receiver, source) => 10 * receiver + source).means();
  expect(means[3 * RANKS + 5]).toBe(35);
  expect(means[3 * RANKS + 3]).toBe(0);
});

test("nothing stands out where waits follow from the order of sending", () => {
  expect(matrixOf(usual).findings()).toEqual([]);
});

test.each([
  ["column", { kind: "column", source: 5 }, (_: number, source: number) => (source === 5 ? 30 : 0)],
  ["row", { kind: "row", receiver: 2 }, (receiver: number) => (receiver === 2 ? 30 : 0)],
  [
    "point",
    { kind: "point", receiver: 6, source: 1 },
    (receiver: number, source: number) => (receiver === 6 && source === 1 ? 60 : 0),
  ],
])("a slow %s is named", (_, expected, more) => {
  const [first] = matrixOf((receiver, source) => usual(receiver, source) + more(receiver, source)).findings();
  expect(first).toMatchObject(expected);
});
