// The account that an exchange keeps: a pattern with a mistake is told what it did, to which token of which rank.

import { RandomStream, WorldError } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import type {
  DispatchPattern,
  ExchangeSteps,
  OutputBlock,
  RankExchange,
  Relay,
  RowBlock,
  Sending,
  TokenSet,
} from "./index.ts";
import { drawTokens } from "./test-support/draw-tokens.ts";
import { runUnit } from "./test-support/emulated-unit.ts";

const random = new RandomStream(9, "wrong patterns");
/** Four ranks in two nodes, the second of which has no tokens. */
const TOKENS = [3, 0, 2, 2].map((count) => drawTokens(random, count));

/** What the run of a pattern says before it gives up; ranks are those of the run, which begin at 4. */
function failureOf(pattern: DispatchPattern): WorldError {
  const wire = { dispatch: "bf16", combine: "bf16" } as const;
  try {
    runUnit({ pattern, tokens: TOKENS, gpusPerNode: 2, firstRank: 4, wire, seed: 1 });
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("the pattern was run");
}

/** Steps of a right pattern, of which a test replaces one. */
type Parts<Content> = {
  /** What goes to each other rank, and what stays. */
  readonly sent: (exchange: RankExchange, to: number) => Content;
  readonly targets: (exchange: RankExchange) => readonly number[];
  readonly sources: (exchange: RankExchange) => readonly number[];
  readonly part: number;
  readonly bytes: number;
};

function kernelOf(exchange: RankExchange, name: "dispatch.send" | "combine.send"): Sending<unknown>["after"] {
  return exchange.kernel({ name, cost: exchange.copyCost(1000), after: [] });
}

/** A pattern of row blocks, right but for what `wrong` says. */
function rowPattern(
  wrong: Partial<Parts<RowBlock>> & Partial<Pick<RowChanges, "keep" | "back" | "accept">>,
): DispatchPattern {
  const keep = wrong.keep ?? ((exchange, from, rows) => exchange.keepRows(from, rows));
  const accept = wrong.accept ?? ((exchange, from, outputs) => exchange.acceptRows(from, outputs));
  const back = wrong.back ?? ((exchange, to) => exchange.outputsFor(to));
  const sent = wrong.sent ?? ((exchange, to) => exchange.rowsFor(to));
  const targets = wrong.targets ?? (({ others }) => others);
  const sources = wrong.sources ?? (({ others }) => others);
  const { part = 0, bytes = 100 } = wrong;
  const open = (exchange: RankExchange): ExchangeSteps => ({
    *sendDispatch() {
      const messages = targets(exchange).map((to) => ({ to, bytes, content: sent(exchange, to) }));
      exchange.send({ after: kernelOf(exchange, "dispatch.send"), part, messages });
      keep(exchange, exchange.rank, exchange.rowsFor(exchange.rank));
    },
    *receiveDispatch() {
      const arrived = yield* exchange.receive<RowBlock>({ from: sources(exchange), part });
      for (const { from, content } of arrived.messages) keep(exchange, from, content);
      return arrived;
    },
    *sendCombine() {
      const messages = exchange.others.map((to) => ({ to, bytes: 100, content: back(exchange, to) }));
      exchange.send({ after: kernelOf(exchange, "combine.send"), messages });
      accept(exchange, exchange.rank, exchange.outputsFor(exchange.rank));
    },
    *receiveCombine() {
      const arrived = yield* exchange.receive<OutputBlock>({ from: exchange.others });
      for (const { from, content } of arrived.messages) accept(exchange, from, content);
      return arrived;
    },
  });
  return { name: "wrong", sms: 20, open };
}

interface RowChanges {
  readonly keep: (exchange: RankExchange, from: number, rows: RowBlock) => void;
  readonly back: (exchange: RankExchange, to: number) => OutputBlock;
  readonly accept: (exchange: RankExchange, from: number, outputs: OutputBlock) => void;
}

describe("a pattern of rows", () => {
  test("that is right is run", () => {
    expect(() => failureOf(rowPattern({}))).toThrow(/the pattern was run/);
  });

  test.each<readonly [string, Parameters<typeof rowPattern>[0], RegExp]>([
    [
      "that sends nothing to one rank",
      { targets: ({ others }) => others.filter((to) => to !== 3) },
      /^pattern wrong lost rows from rank 4 to rank 7: nobody sent the \d+, of which token \d is the first \(dispatch of layer 0/,
    ],
    [
      "that sends no number of rows where there are none",
      {
        targets: ({ rank, others }) => (rank === 1 ? others.filter((to) => to !== 3) : others),
        sources: ({ rank, others }) => (rank === 3 ? others.filter((from) => from !== 1) : others),
      },
      /sent no rows from rank 5 to rank 7, which waits for their number even when it is zero/,
    ],
    [
      "that sends one rank the rows of another",
      { sent: (exchange, to) => exchange.rowsFor(to === 3 ? 2 : to) },
      /sent rows of rank \d to rank 6 twice|kept rows of rank \d for experts of rank 6 as those of rank \d for experts of rank 7/,
    ],
    [
      "that keeps rows under another rank's name",
      { keep: (exchange, from, rows) => exchange.keepRows(from === 0 ? 2 : from, rows) },
      /kept rows of rank 4 for experts of rank \d as those of rank 6/,
    ],
    [
      "that forgets to keep what came from one rank",
      { keep: (exchange, from, rows) => from !== 2 && exchange.keepRows(from, rows) },
      /lost the rows of rank 6: nobody kept them/,
    ],
    [
      "that keeps a rank's rows twice",
      { keep: (exchange, from, rows) => [0, 1].forEach(() => exchange.keepRows(from, rows)) },
      /kept the rows of rank \d twice/,
    ],
    [
      "that returns one rank the outputs of another",
      { back: (exchange, to) => exchange.outputsFor(to === 0 ? 2 : to) },
      /accepted outputs of rank 6 for experts of rank \d as those of rank 4/,
    ],
    [
      "that accepts a rank's outputs twice",
      { accept: (exchange, from, outputs) => [0, 1].forEach(() => exchange.acceptRows(from, outputs)) },
      /accepted the outputs of rank \d twice/,
    ],
    [
      "that does not accept its own outputs",
      { accept: (exchange, from, outputs) => from !== exchange.rank && exchange.acceptRows(from, outputs) },
      /lost the outputs of rank \d \(combine of layer 0, micro-batch 0, step 0\)/,
    ],
    [
      "that asks for outputs of rows it did not keep",
      {
        keep: (exchange, from, rows) => exchange.keepRows(from, rows),
        back: (exchange) => exchange.outputsFor(9),
      },
      /has no outputs for rank 9, since it kept no rows of it/,
    ],
    [
      "that keeps what is no block",
      { keep: (exchange, from) => exchange.keepRows(from, exchange.own as unknown as RowBlock) },
      /kept something that is no block of rows/,
    ],
    [
      "that accepts rows in place of outputs",
      {
        accept: (exchange, from) => exchange.acceptRows(from, exchange.rowsFor(from)),
      },
      /accepted something that is no block of outputs/,
    ],
    ["that sends to itself", { targets: ({ rank }) => [rank] }, /sends a message from rank 4 to itself/],
    ["that sends out of the unit", { targets: () => [8] }, /sends to rank 8 of a unit of 4 ranks/],
    ["that waits for itself", { sources: ({ rank }) => [rank] }, /lets rank 4 wait for a message of its own/],
    ["that waits for a rank outside", { sources: () => [4] }, /waits for rank 4 of a unit of 4 ranks/],
    [
      "that waits twice for one message",
      { sources: () => [1, 1] },
      /waits twice for one message, from ranks 5, 5/,
    ],
    [
      "that gets a message of a rank that it does not wait for",
      { sources: ({ others }) => others.slice(1) },
      /waits for messages of ranks \d, \d and got one of rank \d/,
    ],
    ["that has no such part", { part: 64 }, /names a part 64; parts are 0 to 63/],
    ["that sends fewer than no bytes", { bytes: -1 }, /sends -1 bytes to rank \d/],
    ["that sends no number of bytes", { bytes: Number.NaN }, /sends NaN bytes to rank \d/],
  ])("%s is told so", (_, wrong, message) => {
    const error = failureOf(rowPattern(wrong));
    expect(error.message).toMatch(message);
    expect([error.code, error.exitCode]).toEqual(["pattern", 1]);
  });
});

interface SetChanges {
  /** What is sent of a rank's tokens: one set for each rank. */
  readonly split: (sets: readonly TokenSet[], exchange: RankExchange) => readonly TokenSet[];
  readonly content: (set: TokenSet) => TokenSet | readonly TokenSet[];
  readonly keep: (sets: readonly TokenSet[], exchange: RankExchange) => readonly TokenSet[];
  readonly back: (set: TokenSet, exchange: RankExchange) => readonly TokenSet[];
  readonly accept: (sets: readonly TokenSet[], exchange: RankExchange) => readonly TokenSet[];
  /** A program beside the steps, whose end nobody waits for. */
  readonly relay: (relay: Relay, exchange: RankExchange) => ReturnType<Parameters<RankExchange["beside"]>[2]>;
}

/** A pattern of token sets that sends each rank its own, right but for what `wrong` says. */
function setPattern(wrong: Partial<SetChanges>): DispatchPattern {
  const same = <Sets>(sets: Sets): Sets => sets;
  const {
    split = same,
    content = (set: TokenSet) => set,
    keep = same,
    back = (set: TokenSet) => [set],
    accept = same,
  } = wrong;
  const open = (exchange: RankExchange): ExchangeSteps => {
    const { rank, others } = exchange;
    const kept: (readonly TokenSet[])[] = [];
    return {
      *sendDispatch() {
        const sets = split(
          exchange.split(
            exchange.own,
            exchange.groups("every rank", (each) => each),
          ),
          exchange,
        );
        const messages = others.map((to) => ({ to, bytes: 100, content: content(sets[to]!) }));
        exchange.send({ after: kernelOf(exchange, "dispatch.send"), messages });
        kept[rank] = keep([sets[rank]!], exchange);
        const { relay } = wrong;
        if (relay !== undefined) exchange.beside("relay", "forward", (waiting) => relay(waiting, exchange));
      },
      *receiveDispatch() {
        const arrived = yield* exchange.receive<TokenSet | readonly TokenSet[]>({ from: others });
        for (const message of arrived.messages) kept[message.from] = keep([message.content].flat(), exchange);
        exchange.keepTokens(kept.flat());
        return arrived;
      },
      *sendCombine() {
        const outputs = (to: number): readonly TokenSet[] =>
          exchange.partials.filter(({ source }) => source === to).flatMap((set) => back(set, exchange));
        const messages = others.map((to) => ({ to, bytes: 100, content: outputs(to) }));
        exchange.send({ after: kernelOf(exchange, "combine.send"), messages });
        exchange.acceptTokens(accept(outputs(rank), exchange));
      },
      *receiveCombine() {
        const arrived = yield* exchange.receive<readonly TokenSet[]>({ from: others });
        exchange.acceptTokens(
          accept(
            arrived.messages.flatMap((message) => message.content),
            exchange,
          ),
        );
        return arrived;
      },
    };
  };
  return { name: "wrong", sms: 20, open };
}

describe("a pattern of token sets", () => {
  test("that is right is run", () => {
    expect(() => failureOf(setPattern({}))).toThrow(/the pattern was run/);
  });

  const withoutFirst = (set: TokenSet, exchange: RankExchange): readonly TokenSet[] =>
    exchange.slice(set, 1).slice(1);

  test.each<readonly [string, Partial<SetChanges>, RegExp]>([
    [
      "that forgets a token",
      { split: (sets, exchange) => sets.map((set) => (exchange.rank === 2 ? emptied(set) : set)) },
      /^pattern wrong lost token 0 of rank 6: for expert \d+ on rank \d it was sent to nobody \(dispatch of layer 0/,
    ],
    [
      "that sends a token twice",
      { content: (set) => [set, set] },
      /sent token \d of rank \d to expert \d+ on rank \d twice/,
    ],
    [
      "that keeps a token whose expert lives elsewhere",
      { split: (sets) => sets.toReversed() },
      /kept token \d of rank \d for expert \d+, which lives on rank \d/,
    ],
    [
      "that loses a token that came to it",
      {
        keep: (sets, exchange) =>
          sets.flatMap((set) => (set.source === exchange.rank ? [set] : withoutFirst(set, exchange))),
      },
      /lost token \d of rank \d for expert \d+: it came to rank \d and went no further/,
    ],
    [
      "that keeps a token twice",
      { keep: (sets, exchange) => (sets[0]?.source === exchange.rank ? sets : [...sets, ...sets]) },
      /handled token \d of rank \d for expert \d+ twice on rank \d, where it came once/,
    ],
    [
      "that returns no outputs",
      { back: () => [] },
      /lost token \d of rank \d: it has no output of expert \d+ on rank \d \(combine of layer 0/,
    ],
    [
      "that loses one output",
      { back: withoutFirst },
      /lost token \d of rank \d: it has no output of expert \d+ on rank \d/,
    ],
    [
      "that accepts an output twice",
      { accept: (sets) => [...sets, ...sets] },
      /gave token \d of rank \d the output of expert \d+ on rank \d twice/,
    ],
    [
      "that returns tokens as they came",
      { back: ({ isOutput: _isOutput, ...set }) => [set] },
      /accepted tokens that no expert has seen, in place of outputs/,
    ],
    [
      "that adds up tokens as they came",
      { split: (sets, exchange) => sets.map((set) => exchange.sum([set])) },
      /adds up tokens that no expert has seen/,
    ],
    [
      "that adds up nothing",
      { back: (_, exchange) => [exchange.sum([])] },
      /adds up nothing, whose source nobody knows/,
    ],
    [
      "that keeps what experts have made",
      { keep: (sets) => sets.map((set) => ({ ...set, isOutput: true })) },
      /kept outputs, which experts have made already/,
    ],
    [
      "that accepts another rank's tokens",
      { accept: (sets) => sets.map((set) => ({ ...set, source: 3 })) },
      /accepted tokens of rank 7 as its own/,
    ],
    [
      "that keeps what is no token set",
      { keep: () => [Int32Array.of(1)] as unknown as readonly TokenSet[] },
      /kept something that is no token set/,
    ],
    [
      "that does not wait for the end of its relay",
      {
        *relay(waiting, exchange) {
          yield* waiting.receive({ from: exchange.others, part: 7 });
        },
      },
      /ended receiveDispatch while 1 of its programs still ran; join\(\) waits for them/,
    ],
    [
      "whose relay is waited for by two programs",
      {
        *relay(waiting, exchange) {
          const inner = exchange.beside("inner relay", "forward", function* (own) {
            yield* own.receive({ from: exchange.others, part: 7 });
          });
          exchange.beside("another relay", "forward", function* () {
            yield* inner.join();
          });
          yield* inner.join();
        },
      },
      /waits for its inner relay in two programs; one may join\(\) it at a time/,
    ],
    [
      "that promises to send to itself",
      {
        *relay(waiting, exchange) {
          yield* waiting.receive({ from: exchange.others, to: [exchange.rank] });
        },
      },
      /promises to send to rank \d+, which is itself/,
    ],
    [
      "that promises to send to a rank that is not there",
      {
        *relay(waiting, exchange) {
          yield* waiting.receive({ from: exchange.others, to: [64] });
        },
      },
      /promises to send to rank 64 of a unit of \d ranks/,
    ],
    [
      "that says what runs before it sends to others, and not to whom it sends first",
      {
        *relay(waiting, exchange) {
          yield* waiting.receive({ from: exchange.others, leastBeyond: [] });
        },
      },
      /promises kernels before it sends to others \(`leastBeyond`\), and not to whom it sends first \(`to`\)/,
    ],
  ])("%s is told so", (_, wrong, message) => {
    const error = failureOf(setPattern(wrong));
    expect(error.message).toMatch(message);
    expect([error.code, error.exitCode]).toEqual(["pattern", 1]);
  });

  test("that gets more messages than it waits for is told so, also where they came before it waits", () => {
    const pattern: DispatchPattern = {
      name: "wrong",
      sms: 20,
      open: (exchange) => ({
        ...setPattern({}).open(exchange),
        *receiveDispatch() {
          // The last of these is there when all others are.
          yield* exchange.receive({ from: exchange.others, part: 1 });
          return yield* exchange.receive({ from: exchange.others.slice(1) });
        },
        *sendDispatch() {
          const after = kernelOf(exchange, "dispatch.send");
          for (const part of [0, 1]) {
            const late = exchange.durationOf(exchange.copyCost(part * 1e9), 20);
            const at = (after.at + late) as typeof after.at;
            exchange.send({
              after,
              at,
              part,
              messages: exchange.others.map((to) => ({ to, bytes: 1, content: 0 })),
            });
          }
        },
      }),
    };
    expect(failureOf(pattern).message).toMatch(/waits for messages of ranks \d, \d and got one of rank \d/);
  });

  test("that sends to others than the ranks that it promised is told so", () => {
    const pattern: DispatchPattern = {
      name: "wrong",
      sms: 20,
      open: (exchange) => ({
        ...setPattern({}).open(exchange),
        *sendDispatch() {
          const after = kernelOf(exchange, "dispatch.send");
          const messages = exchange.others.map((to) => ({ to, bytes: 1, content: 0 }));
          exchange.send({ after, part: 1, messages });
          yield* exchange.receive({ from: exchange.others, part: 1, to: [] });
          exchange.send({ after, part: 2, messages });
        },
      }),
    };
    expect(() => failureOf(pattern)).toThrow(
      /rank 4 sends dispatch where it promised to send nothing: its last wait named other ranks \(`to`\), or/,
    );
  });

  /** Relays a message each way, and promises so much of what it runs until its end. */
  const relaying = (leastToEnd: number): DispatchPattern => ({
    name: "wrong",
    sms: 20,
    open: (exchange) => {
      const messages = exchange.others.map((to) => ({ to, bytes: 1, content: 0 }));
      const half = { sms: 10, stream: "forward" } as const;
      return {
        ...setPattern({}).open(exchange),
        *sendDispatch() {
          const cost = exchange.copyCost(1e6);
          const after = exchange.kernel({ name: "dispatch.send", cost, after: [], sms: 10 });
          exchange.send({ after, part: 1, messages });
          const relay = exchange.beside("relay", "forward", function* (waiting) {
            const promised = { leastToEnd: exchange.copyCost(leastToEnd), sms: half.sms };
            const arrived = yield* waiting.receive({ from: exchange.others, part: 1, ...promised });
            exchange.kernel({ name: "dispatch.forward", cost, after: [arrived], ...half });
          });
          yield* relay.join();
          exchange.send({ after, part: 2, messages });
        },
      };
    },
  });

  test("whose relay promises more until its end than it runs is told so", () => {
    expect(() => failureOf(relaying(1e9))).toThrow(
      /rank \d sends dispatch at [\d.]+ µs and promised nothing before [\d.]+ µs/,
    );
  });

  test("that promises until an end that is no relay's is told so", () => {
    const pattern: DispatchPattern = {
      ...relaying(0),
      open: (exchange) => ({
        ...setPattern({}).open(exchange),
        *receiveDispatch() {
          return yield* exchange.receive({ from: exchange.others, leastToEnd: [] });
        },
      }),
    };
    expect(failureOf(pattern).message).toMatch(
      /promises kernels until the end of a relay \(`leastToEnd`\) in a step of its own/,
    );
  });

  test("that declares to send along rails and does not is told so", () => {
    expect(failureOf({ ...setPattern({}), alongRails: true }).message).toMatch(
      /^pattern wrong declares to send along rails \(`alongRails`\) and sends to rank \d+, which is on another rail of another node/,
    );
  });

  test("that lets all wait for a message that nobody sends is told who waits for whom", () => {
    const pattern: DispatchPattern = {
      name: "silent",
      sms: 20,
      open: (exchange) => ({
        ...setPattern({}).open(exchange),
        *sendDispatch() {
          if (exchange.rank === 1) return;
          yield* setPattern({}).open(exchange).sendDispatch(kernelOf(exchange, "dispatch.send"));
        },
      }),
    };
    const { code, message } = failureOf(pattern);
    expect(code).toBe("deadlock");
    expect(message).toMatch(/nothing can happen any more, and \d programs wait:/);
    expect(message).toMatch(
      /rank 4, program waits for dispatch of layer 0, micro-batch 0, step 0 since .* µs; missing: rank 5/,
    );
  });
});

describe("a pattern's kernels", () => {
  const withKernels = (
    sms: number | null,
    ...kernels: readonly Partial<Parameters<RankExchange["kernel"]>[0]>[]
  ): DispatchPattern => ({
    name: "wrong",
    sms,
    open: (exchange) => ({
      ...setPattern({}).open(exchange),
      *sendDispatch(after) {
        const cost = exchange.copyCost(1);
        for (const kernel of kernels)
          exchange.kernel({ name: "dispatch.send", cost, after: [after], ...kernel });
      },
    }),
  });

  test.each<readonly [DispatchPattern, RegExp]>([
    [withKernels(20, { sms: 21 }), /declares 20 SMs and may hold 21: 21 on stream communication/],
    [
      withKernels(20, {}, { sms: 10, stream: "forward" }),
      /declares 20 SMs and may hold 30: 20 on stream communication and 10 on stream forward/,
    ],
    [withKernels(null, { stream: "forward" }), /declares no SMs, so .* none may run on stream forward/],
  ])("hold no more SMs than it declares, on all its streams together: %#", (pattern, message) => {
    expect(failureOf(pattern).message).toMatch(message);
  });

  test("of a relay are over before what follows a step begins", () => {
    const pattern: DispatchPattern = {
      name: "wrong",
      sms: 20,
      open: (exchange) => ({
        ...setPattern({}).open(exchange),
        *sendDispatch() {},
        *receiveDispatch() {
          const cost = exchange.copyCost(1e9);
          exchange.kernel({ name: "dispatch.forward", cost, after: [], stream: "forward", sms: 10 });
          return exchange.kernel({ name: "dispatch.receive", cost: [], after: [], sms: 10 });
        },
      }),
    };
    expect(failureOf(pattern).message).toMatch(/begin before a kernel of its relay ends/);
  });

  test("may share them between two streams, one after the other on each", () => {
    const pattern = withKernels(20, { sms: 10 }, { sms: 8 }, { sms: 10, stream: "forward" });
    // It fails later, since it sends nothing.
    expect(failureOf(pattern).code).toBe("deadlock");
  });
});

function emptied(set: TokenSet): TokenSet {
  const none = { tokens: new Int32Array(), offsets: new Int32Array(1), experts: new Int32Array() };
  return { ...set, ...none, choices: new Uint8Array() };
}
