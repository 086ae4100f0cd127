// Dispatch patterns over an emulated unit with real arithmetic: each gives bit for bit what its stated order of sums
// gives in one process, whatever the degree, the nodes, the gate and the order in which messages arrive.

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { RandomStream } from "@windtunnel/base";
import { expertForward, roundAsOnWire, type WirePrecision } from "@windtunnel/model";
import { decodeBF16, encodeBF16 } from "@windtunnel/tensor";
import { describe, expect, test } from "vitest";
import {
  checkPattern,
  createDirect,
  createNormal,
  type DispatchPattern,
  lowLatency,
  normalCombineBytes,
  normalDispatchBytes,
} from "./index.ts";
import { deal, drawTokens, type Gate, SEEDS } from "./test-support/draw-tokens.ts";
import {
  CHOICES,
  context,
  EXPERT_COUNT,
  exchangeOnce,
  expertWeights,
  HIDDEN,
  runUnit,
  tensorOf,
  type TestToken,
} from "./test-support/emulated-unit.ts";

const direct = createDirect({ sms: 20 });
const normal = createNormal({ sms: 20 });
const onePerRank = example("one-copy-per-rank");
const twoHops = example("two-hops");
const WIRES: readonly WirePrecision[] = [
  { dispatch: "f32", combine: "f32" },
  { dispatch: "bf16", combine: "bf16" },
  { dispatch: "fp8", combine: "bf16" },
];
const GATES: readonly Gate[] = ["even", "one-gets-all", "one-gets-none"];
const DEGREES = [1, 2, 4, 8, 12, 16];

const { fround } = Math;

/** An example of docs/patterns.md, loaded as a user's file is. */
function example(name: string): DispatchPattern {
  const file = fileURLToPath(new URL(`../../../docs/examples/${name}.ts`, import.meta.url));
  const module = createRequire(import.meta.url)(file) as { readonly default: unknown };
  return checkPattern(module.default, file);
}

/** What an expert makes of a token, whose row has crossed the wire. */
function outputOf(token: TestToken, expert: number, { dispatch }: WirePrecision): Float32Array {
  const row = tensorOf(token.x.slice());
  roundAsOnWire(context, dispatch, row);
  return context.arena.scope(() =>
    expertForward(context, [expertWeights(expert)], Int32Array.of(0, 1), row).data.slice(),
  );
}

function roundBack(values: Float32Array, { combine }: WirePrecision): Float32Array {
  return combine === "f32" ? values : values.map((value) => decodeBF16(encodeBF16(value)));
}

function add(sum: Float32Array, values: Float32Array, weight: number = 1): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + fround(weight * values[i]!);
}

/** The twin of `direct` and `low-latency`: outputs rounded, then weighted and added in the order of the choices. */
function sumByChoice(token: TestToken, wire: WirePrecision): Float32Array {
  const sum = new Float32Array(HIDDEN);
  for (const [choice, expert] of token.experts.entries()) {
    add(sum, roundBack(outputOf(token, expert, wire), wire), token.weights[choice]);
  }
  return sum;
}

/** The twin of `normal` and `two-hops`: on a rank by expert, on a node by rank, both rounded; at the source by node. */
function sumByNode(
  token: TestToken,
  wire: WirePrecision,
  nodes: readonly (readonly number[])[],
): Float32Array {
  const degree = nodes.flat().length;
  const ascending = [...token.experts.entries()].sort(([, one], [, other]) => one - other);
  const ownerOf = (expert: number): number => Math.floor(expert / (EXPERT_COUNT / degree));
  const total = new Float32Array(HIDDEN);
  for (const node of nodes) {
    const sumOfNode = new Float32Array(HIDDEN);
    for (const rank of node) {
      const sumOfRank = new Float32Array(HIDDEN);
      for (const [choice, expert] of ascending) {
        if (ownerOf(expert) === rank) add(sumOfRank, outputOf(token, expert, wire), token.weights[choice]);
      }
      add(sumOfNode, roundBack(sumOfRank, wire));
    }
    add(total, roundBack(sumOfNode, wire));
  }
  return total;
}

/** The unit's ranks by their nodes: rank r of the run is GPU r modulo the node's size of node floor(r / size). */
function nodesOf(degree: number, gpusPerNode: number, firstRank: number): number[][] {
  const nodes = new Map<number, number[]>();
  for (let rank = 0; rank < degree; rank++) {
    const node = Math.floor((firstRank + rank) / gpusPerNode);
    nodes.set(node, [...(nodes.get(node) ?? []), rank]);
  }
  return [...nodes.values()];
}

function concatenated(rows: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const row of rows) {
    all.set(row, end);
    end += row.length;
  }
  return all;
}

/** Equal bits, minus zero told from zero; names the first token that differs. */
function expectSameBits(actual: Float32Array, expected: Float32Array, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  const wrong = actual.findIndex((value, index) => !Object.is(value, expected[index]));
  const place = `${what}: token ${Math.floor(wrong / HIDDEN)}, channel ${wrong % HIDDEN}`;
  if (wrong >= 0) expect(actual[wrong], place).toBe(expected[wrong]);
  expect(wrong).toBe(-1);
}

interface Case {
  readonly degree: number;
  readonly gpusPerNode: number;
  readonly firstRank: number;
  readonly wire: WirePrecision;
  readonly gate: Gate;
}

/**
 * Every degree, on nodes of 4 and of 8, in a unit that begins a node and in a second one that may not. In F32, where any
 * other order of a sum shows, and in narrower formats, where any other place of rounding does.
 */
function casesOf(random: RandomStream): Case[] {
  return DEGREES.flatMap((degree) =>
    [4, 8].flatMap((gpusPerNode) =>
      [0, 1 + random.below(2)].map((wire) => ({
        degree,
        gpusPerNode,
        firstRank: random.below(2) * degree,
        wire: WIRES[wire]!,
        gate: GATES[random.below(GATES.length)]!,
      })),
    ),
  );
}

describe.each(SEEDS)("tokens of random shapes (WINDTUNNEL_TEST_SEED=%i)", (seed) => {
  const random = new RandomStream(seed, "patterns");
  const cases = casesOf(random);

  test.each(cases)(
    "over nodes sum up as stated: degree $degree from rank $firstRank on nodes of $gpusPerNode, $gate, $wire.dispatch",
    ({ degree, gpusPerNode, firstRank, wire, gate }) => {
      const tokens = drawTokens(random, random.below(40), gate);
      const options = { tokens: deal(random, tokens, degree), gpusPerNode, firstRank, wire, seed };
      const nodes = nodesOf(degree, gpusPerNode, firstRank);
      const byNode = concatenated(tokens.map((token) => sumByNode(token, wire, nodes)));
      for (const pattern of [normal, twoHops]) {
        expectSameBits(concatenated(runUnit({ ...options, pattern }).outputs), byNode, pattern.name);
      }
      // Where every rank is a node of its own.
      const byRank = concatenated(tokens.map((token) => sumByNode(token, wire, nodesOf(degree, 1, 0))));
      const { outputs } = runUnit({ ...options, pattern: onePerRank });
      expectSameBits(concatenated(outputs), byRank, onePerRank.name);
    },
  );

  test.each(WIRES)(
    "direct and low-latency give the same bits at every degree: $dispatch out, $combine back",
    (wire) => {
      const gate = GATES[random.below(GATES.length)]!;
      const tokens = drawTokens(random, 14, gate);
      const expected = concatenated(tokens.map((token) => sumByChoice(token, wire)));
      for (const degree of DEGREES) {
        const byRank = deal(random, tokens, degree);
        const gpusPerNode = 4 + 4 * random.below(2);
        for (const pattern of [direct, lowLatency]) {
          const { outputs } = runUnit({ pattern, tokens: byRank, gpusPerNode, wire, seed });
          expectSameBits(concatenated(outputs), expected, `${pattern.name} at ${degree}`);
        }
      }
    },
  );

  test("the order in which messages arrive changes no bit", () => {
    const tokens = deal(random, drawTokens(random, 30), 12);
    for (const pattern of [direct, lowLatency, normal, onePerRank, twoHops]) {
      const options = { pattern, tokens, gpusPerNode: 4, wire: WIRES[2]! };
      const first = runUnit({ ...options, seed });
      for (const other of [seed + 1, seed + 2]) {
        const again = runUnit({ ...options, seed: other });
        expectSameBits(concatenated(again.outputs), concatenated(first.outputs), pattern.name);
        expect(again.messages).not.toEqual(first.messages);
      }
    }
  });
});

describe("normal", () => {
  const wire = WIRES[2]!;

  test("gives the bits of its twin over several slices, of which ranks have different numbers", () => {
    const random = new RandomStream(4, "slices");
    // Slices of 256 tokens: three, none, two, one.
    const counts = [513, 0, 257, 1];
    const byRank = counts.map((count) => drawTokens(random, count));
    const { outputs } = runUnit({ pattern: normal, tokens: byRank, gpusPerNode: 2, wire, seed: 1 });
    const nodes = nodesOf(4, 2, 0);
    for (const [rank, tokens] of byRank.entries()) {
      for (const [index, token] of tokens.entries()) {
        // Every eleventh token, and those where slices meet.
        if (index % 11 !== 0 && index % 256 !== 255) continue;
        const row = outputs[rank]!.subarray(index * HIDDEN, (index + 1) * HIDDEN);
        expectSameBits(row, sumByNode(token, wire, nodes), `token ${index} of rank ${rank}`);
      }
    }
  });

  test("crosses the network once for each remote node, and NVLink once for each rank that a relay does not keep", () => {
    const random = new RandomStream(5, "bytes");
    const byRank = deal(random, drawTokens(random, 60), 16);
    const { messages } = runUnit({ pattern: normal, tokens: byRank, gpusPerNode: 4, wire, seed: 1 });
    const shape = { hiddenSize: HIDDEN, wire, expertsPerRank: 3, choicesPerToken: CHOICES };
    const notices = 16 * (3 * 4 * (1 + 3) * 4 + 3 * 4 * (1 + 3) * 4);
    let [network, nvlink] = [0, 0];
    for (const [source, tokens] of byRank.entries()) {
      for (const { experts } of tokens) {
        const ranks = [...new Set([...experts].map((expert) => Math.floor(expert / 3)))];
        const nodes = [...new Set(ranks.map((rank) => Math.floor(rank / 4)))];
        network += nodes.filter((node) => node !== Math.floor(source / 4)).length;
        // The relay of a node has the source's index there.
        nvlink += ranks.filter((rank) => rank % 4 !== source % 4).length;
      }
    }
    const bytesOf = (phase: string): number =>
      messages.reduce((sum, message) => sum + (message.phase === phase ? message.bytes : 0), 0);
    expect(bytesOf("dispatch")).toBe(notices + (network + nvlink) * normalDispatchBytes(shape));
    expect(bytesOf("combine")).toBe((network + nvlink) * normalCombineBytes(shape));
  });
});

describe("low-latency", () => {
  const tokens = drawTokens(new RandomStream(6, "buffers"), 8).map((token) => [token]);
  const options = { pattern: lowLatency, tokens, gpusPerNode: 4, wire: WIRES[0]!, seed: 1 };

  test("takes its two buffers in turn, for as many exchanges as there are", () => {
    const once = runUnit(options);
    const often = runUnit({
      ...options,
      *program(rank) {
        for (let layer = 0; layer < 5; layer++) yield* exchangeOnce(rank, layer);
      },
    });
    expect(often.outputs).toEqual(once.outputs);
    expect(often.messages).toHaveLength(5 * once.messages.length);
  });

  test("refuses a third result while two are outstanding", () => {
    const sendThree = (): unknown =>
      runUnit({
        ...options,
        *program(rank) {
          for (let layer = 0; layer < 3; layer++) {
            const { exchange, steps } = rank.open(layer);
            const gate = { at: 0, cause: { kind: "plan" } } as Parameters<typeof steps.sendDispatch>[0];
            yield* exchange.run({ phase: "dispatch", followedBy: [] }, steps.sendDispatch(gate));
          }
        },
      });
    expect(sendThree).toThrow(
      /low-latency has 2 buffers: rank 0 begins call 2 before call 0 is received; .* more than 2 results outstanding/,
    );
  });
});
