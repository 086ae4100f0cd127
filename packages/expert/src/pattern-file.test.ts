// What a user's file exports, and what its steps give: mistakes are errors of the file, with what is allowed.

import { WorldError } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { checkPattern, createDirect, type ExchangeSteps, type RankExchange } from "./index.ts";
import type { Program } from "@windtunnel/virtual-time";
import { runUnit, type TestRank } from "./test-support/emulated-unit.ts";

const FILE = "/home/me/mine.ts";
const open = (exchange: RankExchange): ExchangeSteps => createDirect({ sms: 20 }).open(exchange);
const right = { name: "mine", sms: 20, open };

function failureOf(run: () => unknown): WorldError {
  try {
    run();
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("nothing failed");
}

/** Runs a pattern on two ranks without tokens. */
function runPattern(value: unknown): void {
  const wire = { dispatch: "bf16", combine: "bf16" } as const;
  runUnit({ pattern: checkPattern(value, FILE), tokens: [[], []], gpusPerNode: 2, wire, seed: 1 });
}

describe("a file", () => {
  test("may export an object or an instance of a class, with or without promises", () => {
    class Mine {
      readonly name = "mine";
      readonly sms = null;
      get tokenLimit(): number {
        return 7;
      }
      open(exchange: RankExchange): ExchangeSteps {
        expect(this.sms).toBe(null);
        return open(exchange);
      }
    }
    const pattern = checkPattern(new Mine(), FILE);
    expect(pattern).toMatchObject({ name: "mine", sms: null, tokenLimit: 7 });
    runPattern(new Mine());
    const { least } = createDirect({ sms: 20 });
    expect(checkPattern({ ...right, least }, FILE).least).toBe(least);
    expect(checkPattern(right, FILE)).not.toHaveProperty("least");
  });

  test.each([
    [undefined, "default export: found nothing; allowed: an object with name, sms and open(exchange)"],
    [{}, "default export: found nothing"],
    [
      { [Symbol.toStringTag]: "Module", pattern: right, other: 1 },
      "default export: found only pattern, other",
    ],
    [null, "default export: found null"],
    [() => right, "default export: found a function"],
    [[right], "name: found nothing"],
    [{ ...right, name: "" }, 'name: found ""; allowed: 1 to 60 letters'],
    [{ ...right, name: "a/b" }, 'name: found "a/b"'],
    [{ name: "mine", open }, "sms: found nothing; allowed: a whole number of SMs, or null"],
    [{ ...right, sms: 0 }, "sms: found 0"],
    [{ ...right, sms: 2.5 }, "sms: found 2.5"],
    [
      { ...right, tokenLimit: "many" },
      'tokenLimit: found "many"; allowed: a whole number of tokens, or leaving it out',
    ],
    [{ ...right, alongRails: "yes" }, 'alongRails: found "yes"; allowed: true, or leaving it out'],
    [{ ...right, receivesOnly: 1 }, "receivesOnly: found 1; allowed: true, or leaving it out"],
    [{ name: "mine", sms: 20 }, "open: found nothing; allowed: a function of one exchange"],
    [
      { ...right, least: { send: 1 } },
      "least: found an object with send; allowed: functions send and receive",
    ],
  ])("that exports %o is refused", (value, message) => {
    const { code, message: said, details } = failureOf(() => checkPattern(value, FILE));
    expect(said).toContain(`${FILE}: ${message}`);
    expect([code, details.file]).toEqual(["input", FILE]);
  });
});

test("what a pattern says of itself is kept", () => {
  const least = { send: () => [], receive: () => [] };
  const flags = { alongRails: true, receivesOnly: true, hostWaits: true } as const;
  const said = { name: "mine", sms: 20, tokenLimit: 64, ...flags, least };
  expect(checkPattern({ ...said, open }, FILE)).toMatchObject(said);
});

test("what its steps say of a combine is passed on when it is a cost, and told otherwise", () => {
  const leastOf = (leastOfCombine: () => unknown): unknown => {
    const opened = (exchange: RankExchange): unknown => ({ ...open(exchange), leastOfCombine });
    const pattern = checkPattern({ ...right, open: opened }, FILE);
    const wire = { dispatch: "bf16", combine: "bf16" } as const;
    let found: unknown;
    // eslint-disable-next-line require-yield
    const program = function* (rank: TestRank): Program {
      found = rank.open(0).steps.leastOfCombine?.();
    };
    runUnit({ pattern, tokens: [[], []], gpusPerNode: 2, wire, seed: 1, program });
    return found;
  };
  expect(leastOf(() => [])).toEqual([]);
  expect(failureOf(() => leastOf(() => 5)).message).toBe(
    "pattern mine: leastOfCombine gives 5; it must give what copyCost(bytes) gives",
  );
  const broken = (): never => {
    throw new TypeError("no such thing");
  };
  expect(failureOf(() => leastOf(broken)).message).toMatch(/^pattern mine stopped on rank 0: no such thing/);
});

describe("a step", () => {
  const steps: readonly (keyof ExchangeSteps)[] = [
    "sendDispatch",
    "receiveDispatch",
    "sendCombine",
    "receiveCombine",
  ];

  test.each(steps)("%s that is missing is named", (step) => {
    const withoutStep = (exchange: RankExchange): unknown => ({ ...open(exchange), [step]: undefined });
    const { message, details, exitCode } = failureOf(() => runPattern({ ...right, open: withoutStep }));
    expect(message).toBe(`pattern mine: open() gives no step ${step}`);
    expect([details.file, details.found, exitCode]).toEqual([FILE, "nothing", 2]);
  });

  test.each(steps)("%s must be a program", (step) => {
    const run = (make: () => unknown): WorldError =>
      failureOf(() =>
        runPattern({ ...right, open: (exchange: RankExchange) => ({ ...open(exchange), [step]: make }) }),
      );
    expect(run(() => undefined).message).toBe(
      `pattern mine: ${step} gives nothing; it must give a program: *${step}(…) { … }`,
    );
    expect(run(async () => undefined).message).toContain(`${step} gives a promise; it must give a program`);
  });

  test.each(["receiveDispatch", "receiveCombine"] as const)(
    "%s must give what follows depends on",
    (step) => {
      const withoutResult = (exchange: RankExchange): unknown => {
        const right = open(exchange);
        return {
          ...right,
          *[step]() {
            yield* right[step]();
          },
        };
      };
      const { message } = failureOf(() => runPattern({ ...right, open: withoutResult }));
      expect(message).toMatch(new RegExp(`${step} gives nothing; it must give what follows depends on`));
    },
  );

  test("that throws, and an open() or a relay that does, is an error of the file and no bug of the emulator", () => {
    const broken = (): never => {
      throw new TypeError("no such thing");
    };
    const inStep = (exchange: RankExchange): unknown => ({ ...open(exchange), sendCombine: broken });
    const inRelay = (exchange: RankExchange): unknown => ({
      ...open(exchange),
      *sendDispatch() {
        exchange.beside("relay", "forward", broken);
      },
    });
    for (const each of [broken, inStep, inRelay]) {
      const { code, message, details, exitCode } = failureOf(() => runPattern({ ...right, open: each }));
      expect(message).toMatch(
        /^pattern mine stopped on rank \d: no such thing \((dispatch|combine) of layer 0/,
      );
      expect([code, details.file, exitCode]).toEqual(["pattern", FILE, 1]);
    }
  });
});
