import { WorldError } from "@windtunnel/base";
import { expect, test } from "vitest";
import { prepareRun } from "./prepare-run.ts";
import { resolveScenario } from "./scenario/index.ts";

function prepared(run: Record<string, unknown>) {
  return prepareRun(resolveScenario({ model: { preset: "v3-tiny" }, run }, { folder: "/" }));
}

function failure(run: Record<string, unknown>): WorldError {
  try {
    prepared(run);
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
  throw new Error("nothing failed");
}

test("a schedule of the other kind of step is refused with those that fit", () => {
  const { message, exitCode } = failure({ prefill: { schedule: "five-stage" } });
  expect(exitCode).toBe(2);
  expect(message).toContain("run.prefill.schedule: found five-stage, which is for decode");
  expect(message).toContain("allowed: sequential, dual-batch, two-batch-sglang, or the path");
});

test("a misspelt schedule gets a suggestion", () => {
  expect(failure({ decode: { schedule: "five-stages" } }).message).toContain("Did you mean five-stage?");
});

test("SMs of communication are the scenario's, or the schedule's, or DeepEP's", () => {
  const smsOf = (run: Record<string, unknown>) => prepared(run).styles.prefill.pattern.sms;
  expect(smsOf({ prefill: { schedule: "dual-batch" } })).toBe(24);
  expect(smsOf({ prefill: { schedule: "two-batch-sglang" } })).toBe(20);
  expect(smsOf({ prefill: { schedule: "dual-batch" }, communicationSms: 16 })).toBe(16);
});

test("a graph can't hold a pattern whose host waits", () => {
  const { message, details } = failure({ decode: { launch: "graph", dispatch: "normal" } });
  expect(message).toContain("the host waits for counts in normal, which no graph can hold");
  expect(details.path).toBe("run.decode.launch");
  expect(prepared({ decode: { launch: "graph", graphSizes: [2, 8] } }).styles.decode.graphSizes).toEqual([
    2, 8,
  ]);
});
