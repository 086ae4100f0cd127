import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { WorldError } from "@windtunnel/base";
import { afterAll, describe, expect, test } from "vitest";
import { type AllToAllResult, checkAllToAll, drawnChoices, runAllToAll } from "./all-to-all.ts";
import { type AllToAllOptions, withBenchmarkDefaults } from "./all-to-all-options.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-all-to-all-"));
afterAll(() => rmSync(folder, { recursive: true }));

function measure(given: Partial<AllToAllOptions>): AllToAllResult {
  return runAllToAll(withBenchmarkDefaults({ tokens: [64], ...given }));
}

describe("a measured all-to-all", () => {
  test("is the same again, and another one with another seed", () => {
    const first = measure({ pattern: "normal" });
    expect(measure({ pattern: "normal" })).toEqual(first);
    expect(measure({ pattern: "normal", seed: 2 }).dispatch.us).not.toBe(first.dispatch.us);
  });

  test.each(["direct", "normal", "low-latency"])("by %s is no faster than its NICs", (pattern) => {
    const { dispatch, combine } = measure({ pattern, ranks: 32 });
    for (const { us, maxUs, rdmaBytes } of [dispatch, combine]) {
      // 32 NICs of 50 GB/s; the busiest has at least the mean.
      expect(maxUs).toBeGreaterThan(rdmaBytes / 32 / 50e3);
      expect(maxUs).toBeGreaterThanOrEqual(us);
    }
  });

  test("by normal takes little more for one token more, also where slices outgrow the ring buffers", () => {
    // 16 slices at most, of 1,280 tokens and of 1,281; a sender may have 1,280 in flight to a peer.
    const at = (tokens: number): AllToAllResult =>
      measure({ pattern: "normal", ranks: 2, gpusPerNode: 1, tokens: [tokens] });
    const [few, more] = [at(16 * 1280), at(16 * 1280 + 1)];
    expect(more.dispatch.us / few.dispatch.us).toBeCloseTo(1, 2);
    expect(more.combine.us / few.combine.us).toBeCloseTo(1, 2);
  });

  test("by normal leaves no more in front of a NIC than credits let it have in flight", () => {
    const { loads } = measure({ pattern: "normal", ranks: 4, gpusPerNode: 1, tokens: [4096] });
    const queues = loads.filter(({ kind }) => kind === "plane").map(({ peakQueueBytes }) => peakQueueBytes);
    // 1,280 tokens of at most 14,384 bytes to each of three peers; all of a rank's tokens would be 177 MB.
    expect(Math.max(...queues)).toBeGreaterThan(0);
    expect(Math.max(...queues)).toBeLessThan(3 * 1280 * 14_384);
  });

  test("counts layout and notify of normal apart; the others only launch a kernel", () => {
    expect(measure({ pattern: "normal" }).preparationUs).toBeGreaterThan(10);
    expect(measure({ pattern: "direct" }).preparationUs).toBe(2.5);
    expect(measure({ pattern: "low-latency" }).preparationUs).toBe(2.5);
  });

  test("says with which options it was made, fabric and all", () => {
    const { options } = measure({ fabric: { nodesPerLeaf: 1 } });
    expect(options).toMatchObject({
      gpu: "h800",
      ranks: 16,
      tokens: [64],
      experts: 288,
      pattern: "low-latency",
    });
    expect(options.fabric).toMatchObject({
      kind: "multi-plane",
      planes: 8,
      nodesPerLeaf: 1,
      spinesPerPlane: 32,
    });
    expect(runAllToAll(options)).toEqual(measure({ fabric: { nodesPerLeaf: 1 } }));
  });

  test("lets ranks take unequal numbers of tokens in turn", () => {
    const options = withBenchmarkDefaults({ tokens: [0, 5, 64], ranks: 8 });
    expect(drawnChoices(options).map(({ length }) => length / 8)).toEqual([0, 5, 64, 0, 5, 64, 0, 5]);
    // 143 tokens of 8 choices each, on 8 ranks.
    expect(runAllToAll(options).rowsPerRank.mean).toBe(143);
  });

  test("of one rank, or of no tokens, takes little time and no wire", () => {
    const { dispatch, loads } = measure({ ranks: 1, pattern: "normal" });
    expect([dispatch.messages, dispatch.nvlinkBytes, dispatch.rdmaBytes, loads]).toEqual([0, 0, 0, []]);
    const { combine, nodesPerToken } = measure({ tokens: [0], pattern: "low-latency" });
    expect([combine.logicalBytes, nodesPerToken]).toEqual([0, 0]);
  });
});

/** One kernel that is called nothing that is measured by name; rows go straight. */
const PLAIN = `export default {
  name: "plain", sms: null, tokenLimit: 100,
  open: (exchange) => ({
    *sendDispatch(after) {
      const sent = exchange.kernel({ name: "dispatch.receive", cost: [], after: [after] });
      const messages = exchange.others.map((to) => ({ to, bytes: 1000, content: exchange.rowsFor(to) }));
      exchange.send({ after: sent, messages });
      exchange.keepRows(exchange.rank, exchange.rowsFor(exchange.rank));
    },
    *receiveDispatch() {
      const arrived = yield* exchange.receive({ from: exchange.others });
      for (const { from, content } of arrived.messages) exchange.keepRows(from, content);
      return arrived;
    },
    *sendCombine(after) {
      const sent = exchange.kernel({ name: "combine.receive", cost: [], after: [after] });
      const messages = exchange.others.map((to) => ({ to, bytes: 500, content: exchange.outputsFor(to) }));
      exchange.send({ after: sent, messages });
      exchange.acceptRows(exchange.rank, exchange.outputsFor(exchange.rank));
    },
    *receiveCombine() {
      const arrived = yield* exchange.receive({ from: exchange.others });
      for (const { from, content } of arrived.messages) exchange.acceptRows(from, content);
      return arrived;
    },
  }),
};
`;

describe("a pattern of a user's file", () => {
  const file = path.join(folder, "plain.ts");
  writeFileSync(file, PLAIN);

  test("is measured from its first kernel, whatever that is called", () => {
    const { pattern, options, dispatch, combine } = measure({ pattern: file, ranks: 8 });
    expect([pattern, options.pattern]).toEqual(["plain", file]);
    expect([dispatch.nvlinkBytes, combine.nvlinkBytes]).toEqual([56_000, 28_000]);
    // 7 kB at 160 GB/s on top of 3.33 µs for the first bytes.
    expect(dispatch.us).toBeCloseTo(3.33 + 7e3 / 160e3, 1);
    expect(combine.us).toBeCloseTo(3.33 + 3.5e3 / 160e3, 1);
  });

  test("is refused more tokens than it says that it takes", () => {
    expect(() => measure({ pattern: file, tokens: [101] })).toThrow(
      "101 tokens for plain; allowed: at most 100",
    );
  });
});

describe("options that can't be measured are refused", () => {
  test.each([
    [{ ranks: 12 }, "ranks", "12, which do not fill nodes of 8 GPUs; allowed: a multiple of 8"],
    [
      { ranks: 40 },
      "experts",
      "256 experts on 40 ranks, which do not divide; allowed: for example 280 experts, or 24",
    ],
    [{ redundantExperts: 3 }, "experts", "256 experts and 3 redundant ones on 16 ranks"],
    [{ tokens: [257] }, "tokens", "257 tokens for low-latency; allowed: at most 256"],
    [{ ranks: 2, tokens: [1, 2, 3] }, "tokens", "3 numbers for 2 ranks"],
    [
      { groups: 7, limitedGroups: 4 },
      "groups",
      "288 experts in 7 groups, which do not divide; allowed: a divisor",
    ],
    [
      { gpu: "gb200", gpusPerNode: 4, fabric: { kind: "nvlink-domain", routing: "ecmp" } },
      "cluster.fabric.routing",
      'found "ecmp" in an NVLink domain, which has one switch',
    ],
    [{ groups: 4, limitedGroups: 5 }, "limitedGroups", "5 of 4 groups; allowed: 1 to 4"],
    [{ groups: 72, limitedGroups: 1 }, "topk", "8 experts of a token from 1 group of 4; allowed: at most 4"],
    [{ pattern: "direct", sms: 132 }, "sms", "132 of the 132 SMs of h800"],
    [{ pattern: "dirct" }, "pattern", "Did you mean direct?"],
    [{ pattern: "normal", sms: 21 }, "run.communicationSms", "found 21; allowed: an even number"],
    [{ gpu: "h900" }, "timing.gpu", "Did you mean h800?"],
    [{ fabric: { planes: 9 } }, "cluster.fabric.planes", "too few for 9 planes"],
    [{ fabric: { spinez: 9 } }, "cluster.fabric.spinez", "unknown field"],
    [{ fabric: { kind: "nvlink-domain" }, nvlink: false }, "run.nvlinkForDispatch", "no other way"],
  ] satisfies [Partial<AllToAllOptions>, string, string][])("%j", (given, field, expected) => {
    let thrown: unknown;
    try {
      checkAllToAll(withBenchmarkDefaults(given));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(WorldError);
    const { code, message, details } = thrown as WorldError;
    expect(message).toContain(expected);
    expect([code, details.path]).toEqual(["input", field]);
  });

  test("but SMs mean nothing to low-latency, and any number passes", () => {
    expect(() => checkAllToAll(withBenchmarkDefaults({ sms: 200 }))).not.toThrow();
  });
});
