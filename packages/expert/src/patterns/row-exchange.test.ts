// `direct` sends and takes all rows at once; its plain twin does each by itself, through what every pattern can use.

import { RandomStream } from "@windtunnel/base";
import { expect, test } from "vitest";
import { createDirect, type DispatchPattern, type OutputBlock, type RowBlock } from "../index.ts";
import { rowMessageBytes, rowReturnBytes } from "../row-message.ts";
import { deal, drawTokens, SEEDS } from "../test-support/draw-tokens.ts";
import { runUnit } from "../test-support/emulated-unit.ts";

const direct = createDirect({ sms: 20 });
const { least } = direct;

const oneByOne: DispatchPattern = {
  name: "direct",
  sms: 20,
  least: least!,
  open(exchange) {
    const { rank, shape, others, tokens } = exchange;
    let rows = 0;
    return {
      *sendDispatch(after) {
        const load = { tokens, rows: tokens * shape.choicesPerToken };
        const cost = least!.send("dispatch", shape, load);
        const messages = others.map((to) => {
          const content = exchange.rowsFor(to);
          return { to, bytes: rowMessageBytes(shape, content.rows), content };
        });
        exchange.send<RowBlock>({
          after: exchange.kernel({ name: "dispatch.send", cost, after: [after] }),
          messages,
        });
        exchange.keepRows(rank, exchange.rowsFor(rank));
      },
      *receiveDispatch() {
        rows = exchange.rowsFor(rank).rows;
        const promised = least!.receive("dispatch", shape, { tokens: 0, rows });
        const arrived = yield* exchange.receive<RowBlock>({ from: others, least: promised });
        for (const { from, content } of arrived.messages) {
          exchange.keepRows(from, content);
          rows += content.rows;
        }
        const cost = least!.receive("dispatch", shape, { tokens: 0, rows });
        return exchange.kernel({ name: "dispatch.receive", cost, after: [arrived] });
      },
      *sendCombine(after) {
        const cost = least!.send("combine", shape, { tokens: 0, rows });
        const messages = others.map((to) => {
          const content = exchange.outputsFor(to);
          return { to, bytes: rowReturnBytes(shape, content.rows), content };
        });
        exchange.send<OutputBlock>({
          after: exchange.kernel({ name: "combine.send", cost, after: [after] }),
          messages,
        });
        exchange.acceptRows(rank, exchange.outputsFor(rank));
      },
      *receiveCombine() {
        const cost = least!.receive("combine", shape, { tokens, rows: tokens * shape.choicesPerToken });
        const arrived = yield* exchange.receive<OutputBlock>({ from: others, least: cost });
        for (const { from, content } of arrived.messages) exchange.acceptRows(from, content);
        return exchange.kernel({ name: "combine.receive", cost, after: [arrived] });
      },
    };
  },
};

test.each(SEEDS)("all rows at once are the same messages and bits as one by one (seed %i)", (seed) => {
  const random = new RandomStream(seed, "rows");
  for (const ranks of [1, 3, 8]) {
    const tokens = deal(random, drawTokens(random, 20), ranks);
    for (const dispatch of ["f32", "fp8"] as const) {
      const options = { tokens, gpusPerNode: 2, wire: { dispatch, combine: "bf16" }, seed } as const;
      const plain = runUnit({ ...options, pattern: oneByOne });
      expect(runUnit({ ...options, pattern: direct })).toEqual(plain);
      expect(plain.messages).toHaveLength(2 * ranks * (ranks - 1));
    }
  }
});
