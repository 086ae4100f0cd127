// A dispatch pattern of one's own: a token travels once to each rank that has any of its experts, however many of them
// it has there. The rank adds up what its experts make of the token and sends one row back. Where a gate is skewed and
// a token's choices crowd on few ranks, that is fewer bytes than `direct`, which sends a copy for each choice.
//
// Steps: dispatch, combine. Messages: one for each ordered pair of ranks and phase. Bytes of one, for t tokens with c
// choices there at hidden size H: dispatch t · (16 + row(H)) + 8 c, combine t · row(H), and 4 for their number.
//
// The tree of a sum: on a rank, experts in ascending order, rounded as the wire rounds; at the source, ranks in
// ascending order. So a token's bits depend on which experts share a rank, and on nothing else.

import type { DispatchPattern, TokenSet } from "@windtunnel/expert";

/** The token's number at its source, how many choices follow, and padding. */
const HEADER_BYTES = 16;
/** An expert's number and the gate's weight for it. */
const CHOICE_BYTES = 8;
const COUNT_BYTES = 4;
/** Activations in memory are BF16. */
const ACTIVATION_BYTES = 2;

const pattern: DispatchPattern = {
  name: "one-copy-per-rank",
  receivesOnly: true,
  sms: 20,
  open(exchange) {
    const { rank, others, tokens, shape } = exchange;
    const everyRank = exchange.groups("every rank", (each) => each);
    const outBytes = ({ tokens, experts }: TokenSet): number =>
      COUNT_BYTES +
      tokens.length * (HEADER_BYTES + exchange.rowBytes("dispatch")) +
      CHOICE_BYTES * experts.length;
    const backBytes = ({ tokens }: TokenSet): number =>
      COUNT_BYTES + tokens.length * exchange.rowBytes("combine");
    const sum = (bytes: readonly number[]): number => bytes.reduce((total, each) => total + each, 0);
    const activations = tokens * shape.hiddenSize * ACTIVATION_BYTES;
    /** This rank's tokens for each rank of the unit, as they were sent. */
    let sent: readonly TokenSet[] = [];
    /** What this rank's experts got, by the rank it came from. */
    const kept: TokenSet[] = [];

    return {
      *sendDispatch(gate) {
        sent = exchange.split(exchange.own, everyRank);
        const cost = exchange.copyCost(activations + sum(sent.map(outBytes)));
        const copied = exchange.kernel({ name: "dispatch.send", cost, after: [gate] });
        exchange.send<TokenSet>({
          after: copied,
          messages: others.map((to) => ({ to, bytes: outBytes(sent[to]!), content: sent[to]! })),
        });
        kept[rank] = sent[rank]!;
      },

      *receiveDispatch() {
        const arrived = yield* exchange.receive<TokenSet>({ from: others });
        for (const { from, content } of arrived.messages) kept[from] = content;
        exchange.keepTokens(kept);
        const cost = exchange.copyCost(sum(kept.map(outBytes)));
        return exchange.kernel({ name: "dispatch.receive", cost, after: [arrived] });
      },

      *sendCombine(experts) {
        // One set of sums for each set that was kept, in the same order.
        const sums = exchange.partials;
        const cost = exchange.copyCost(sum(sums.map(backBytes)));
        const copied = exchange.kernel({ name: "combine.send", cost, after: [experts] });
        exchange.send<TokenSet>({
          after: copied,
          messages: others.map((to) => ({ to, bytes: backBytes(sums[to]!), content: sums[to]! })),
        });
      },

      *receiveCombine() {
        // At least the sums of all tokens are read and added before this rank sends again.
        const cost = exchange.copyCost(activations + sum(sent.map(backBytes)));
        const arrived = yield* exchange.receive<TokenSet>({ from: others, least: cost });
        const back = arrived.messages.map(({ content }) => content);
        back.splice(rank, 0, exchange.partials[rank]!);
        exchange.acceptTokens(back);
        return exchange.kernel({ name: "combine.receive", cost, after: [arrived] });
      },
    };
  },
};

export default pattern;
