// A user's pattern, which comes from a file: what the file exports is checked against the interface when it is loaded,
// and what its steps give while they run. Mistakes in it are errors of that file, never bugs of the emulator.

import { inputError, isNamespace, refuseOwn, shownValue } from "@windtunnel/base";
import type { CostSequence, Dependency } from "@windtunnel/gpu";
import type { Program } from "@windtunnel/virtual-time";
import { isCostSequence } from "./pattern-mistakes.ts";
import { checkSteps, type DispatchPattern, type ExchangeSteps } from "./pattern.ts";
import type { RankExchange } from "./rank-exchange.ts";

/** The pattern that a file exports by default; throws an input error that names the file and what it lacks. */
export function checkPattern(value: unknown, file: string): DispatchPattern {
  const refuse = (path: string, found: unknown, allowed: string): never =>
    refuseOwn(file, path, shownValue(found), allowed);
  const allowed = "an object with name, sms and open(exchange)";
  if (typeof value !== "object" || value === null) return refuse("default export", value, allowed);
  if (isNamespace(value)) return refuse("default export", value, allowed);
  const { name, sms, tokenLimit, alongRails, receivesOnly, hostWaits, open, least } = value as Record<
    string,
    unknown
  >;
  if (typeof name !== "string" || !/^[\w .+-]{1,60}$/.test(name)) {
    refuse("name", name, "1 to 60 letters, digits, spaces and _ . + -");
  }
  if (sms !== null && !isCount(sms)) {
    refuse("sms", sms, "a whole number of SMs, or null for short kernels on the whole GPU");
  }
  if (tokenLimit !== undefined && !isCount(tokenLimit)) {
    refuse("tokenLimit", tokenLimit, "a whole number of tokens, or leaving it out");
  }
  for (const [path, flag] of Object.entries({ alongRails, receivesOnly, hostWaits }))
    if (flag !== undefined && flag !== true) refuse(path, flag, "true, or leaving it out");
  if (typeof open !== "function")
    refuse("open", open, "a function of one exchange that gives its four steps");
  if (least !== undefined && !isLeast(least)) {
    refuse("least", least, "functions send and receive of (phase, shape, load), or leaving it out");
  }
  return guardedPattern(value as DispatchPattern, file);
}

/** Fields are read once, so that a pattern may be an instance of a class. */
function guardedPattern(pattern: DispatchPattern, file: string): DispatchPattern {
  const { name, sms, tokenLimit, alongRails, receivesOnly, hostWaits, least } = pattern;
  return {
    name,
    sms,
    ...(tokenLimit === undefined ? {} : { tokenLimit }),
    ...(alongRails === undefined ? {} : { alongRails }),
    ...(receivesOnly === undefined ? {} : { receivesOnly }),
    ...(hostWaits === undefined ? {} : { hostWaits }),
    ...(least === undefined ? {} : { least }),
    open: (exchange) => {
      const steps = checkSteps(
        exchange.callOf(file, () => pattern.open(exchange)),
        name,
        file,
      );
      return guardedSteps(steps, exchange, name, file);
    },
  };
}

/** The steps, each of which must be a program, and gives what it should. */
function guardedSteps(
  steps: ExchangeSteps,
  exchange: RankExchange,
  pattern: string,
  file: string,
): ExchangeSteps {
  const refuse = (step: keyof ExchangeSteps, found: unknown, allowed: string): never => {
    const message = `pattern ${pattern}: ${step} gives ${shownValue(found)}; it must give ${allowed}`;
    throw inputError(message, { file, path: step });
  };
  const program = <Result>(step: keyof ExchangeSteps, given: Program<Result>): Program<Result> =>
    isProgram(given) ? given : refuse(step, given, `a program: *${step}(…) { … }`);
  function* dependency(step: "receiveDispatch" | "receiveCombine"): Program<Dependency> {
    const given = yield* program(step, steps[step]());
    return isDependency(given)
      ? given
      : refuse(step, given, "what follows depends on, such as what exchange.kernel or exchange.receive gave");
  }
  const leastOfCombine = (): CostSequence => {
    const given = exchange.callOf(file, () => steps.leastOfCombine!());
    return isCostSequence(given) ? given : refuse("leastOfCombine", given, "what copyCost(bytes) gives");
  };
  return {
    *sendDispatch(after) {
      yield* program("sendDispatch", steps.sendDispatch(after));
    },
    receiveDispatch: () => dependency("receiveDispatch"),
    *sendCombine(after) {
      yield* program("sendCombine", steps.sendCombine(after));
    },
    receiveCombine: () => dependency("receiveCombine"),
    ...(steps.leastOfCombine === undefined ? {} : { leastOfCombine }),
  };
}

function isProgram(value: unknown): boolean {
  return typeof (value as Partial<Program> | null | undefined)?.next === "function";
}

function isDependency(value: unknown): boolean {
  const { at, cause } = (value ?? {}) as Partial<Dependency>;
  return typeof at === "number" && typeof cause === "object";
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1;
}

function isLeast(value: unknown): boolean {
  const { send, receive } = (value ?? {}) as Record<string, unknown>;
  return typeof send === "function" && typeof receive === "function";
}
