import { type Instant, microseconds } from "@windtunnel/base";
import { CONTROL_EVENTS } from "@windtunnel/gpu";
import { findPreset } from "@windtunnel/model";
import { noRecorder } from "@windtunnel/trace";
import { type ClassGraph, EventLoop, type LogicalProcess } from "@windtunnel/virtual-time";
import { describe, expect, test } from "vitest";
import { exchangeNumber } from "./exchange-number.ts";
import {
  drawRequests,
  mapLayers,
  type Plan,
  Scheduler,
  type StepReport,
  spreadRequests,
  type WorkloadRequest,
} from "./index.ts";

describe("layers of the timed model", () => {
  const executed = findPreset("v3-scale").config;
  const timed = findPreset("deepseek-v3").config;

  test("run each executed layer once and take its routing in turn afterwards", () => {
    const layers = mapLayers(timed, executed);
    expect(layers).toHaveLength(61);
    const runs = layers.filter((layer) => layer.executed !== undefined).map((layer) => layer.executed);
    expect(runs).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(layers.slice(0, 4).map(({ kind }) => kind)).toEqual(["dense", "dense", "dense", "moe"]);
    expect(layers[3 + 7]).toEqual({ layer: 10, kind: "moe", executed: undefined, routedBy: 1 });
    expect(layers[60]!.routedBy).toBe(1 + (57 % 7));
  });

  test("are refused where the models can't drive each other", () => {
    expect(() => mapLayers(findPreset("deepseek-v2-lite").config, executed)).toThrow(/64 routed experts/);
    expect(() => mapLayers({ ...executed, layerCount: 4 }, executed)).toThrow(
      /3 MoE layers, fewer than the 7/,
    );
  });
});

describe("exchange numbers", () => {
  test("differ for every step, layer, micro-batch and phase", () => {
    const seen = new Set<number>();
    for (let step = 0; step < 3; step++) {
      for (let layer = 0; layer < 5; layer++) {
        for (const microBatch of [0, 1]) {
          for (const phase of ["dispatch", "combine"] as const) {
            seen.add(exchangeNumber({ step, layer, microBatch, phase }, 5));
          }
        }
      }
    }
    expect(seen.size).toBe(60);
    expect(Math.max(...seen)).toBe(59);
  });
});

/** Runs the scheduler against ranks that answer every plan after a microsecond; gives the plans that each rank got. */
function schedule(
  requests: readonly WorkloadRequest[],
  rankCount: number,
  options: { prefillTokensPerRank?: number; prefillOnly?: boolean } = {},
): { plans: Plan[][]; scheduler: Scheduler } {
  const latency = microseconds(5);
  const scheduler = new Scheduler({
    requests,
    rankProcesses: Array.from({ length: rankCount }, (_, rank) => rank),
    prefillTokensPerRank: options.prefillTokensPerRank ?? 100,
    prefillOnly: options.prefillOnly ?? false,
    latency,
    recorder: noRecorder,
  });
  const plans = Array.from({ length: rankCount }, (): Plan[] => []);
  const processes = new Map<number, LogicalProcess>([[rankCount, scheduler]]);
  for (let rank = 0; rank < rankCount; rank++) {
    processes.set(rank, {
      handle: (event, context) => {
        const plan = event.body as Plan;
        plans[rank]!.push(plan);
        if (plan.kind === "end") return;
        const end = (context.now + 1e6 * (rank + 1)) as Instant;
        const newTokens = plan.requests.map(({ request }) => 1000 + request);
        const body: StepReport = { rank, step: plan.step, start: context.now, end, newTokens };
        const time = (end + latency) as Instant;
        context.send({ target: rankCount, kind: CONTROL_EVENTS.report, sentAt: end, time, size: 0, body });
      },
    });
  }
  const classes: ClassGraph = {
    names: ["rank", "scheduler"],
    latency: [
      [undefined, latency],
      [latency, undefined],
    ],
  };
  const loop = new EventLoop({ processes, classes, classOf: (process) => (process === rankCount ? 1 : 0) });
  loop.start();
  loop.run();
  return { plans, scheduler };
}

const kindsOf = (plans: readonly Plan[]): string[] => plans.map(({ kind }) => kind);

describe("the scheduler", () => {
  test("spreads requests in turn, prefills, decodes until each is done, and plans every step for every rank", () => {
    const prompts = [3, 1, 2].map((length) => ({
      tokens: Array.from({ length }, () => 7),
      newTokens: length,
    }));
    const { plans, scheduler } = schedule(spreadRequests(prompts, 2), 2);
    expect(kindsOf(plans[0]!)).toEqual(["prefill", "decode", "decode", "end"]);
    expect(kindsOf(plans[1]!)).toEqual(kindsOf(plans[0]!));
    const requestsOf = (plan: Plan): number[] =>
      plan.kind === "end" ? [] : plan.requests.map(({ request }) => request);
    expect(plans[0]!.map(requestsOf)).toEqual([[0, 2], [0, 2], [0], []]);
    expect(plans[1]!.map(requestsOf)).toEqual([[1], [], [], []]);
    const [, second] = plans[0]!;
    expect(second).toMatchObject({
      requests: [
        { tokens: [1000], last: false },
        { tokens: [1002], last: true },
      ],
    });
    expect(scheduler.outcomes.map(({ tokens }) => tokens)).toEqual([
      [1000, 1000, 1000],
      [1001],
      [1002, 1002],
    ]);
    // The slower rank's report ends the step: 5 µs there, 2 µs of work, 5 µs back.
    expect(scheduler.outcomes[1]!.firstTokenAt).toBe(12e6);
  });

  test("keeps each rank within its prefill budget, in the order of arrival", () => {
    const prompts = [6, 5, 1].map((length) => ({ tokens: Array.from({ length }, () => 7), newTokens: 1 }));
    const { plans } = schedule(spreadRequests(prompts, 1), 1, { prefillTokensPerRank: 8 });
    const sizes = plans[0]!.map((plan) =>
      plan.kind === "end" ? [] : plan.requests.map(({ tokens }) => tokens.length),
    );
    expect(sizes).toEqual([[6], [5, 1], []]);
  });

  test("starts decode at once where positions are drawn, and stops after prefill where nothing else is asked", () => {
    const drawn = {
      seed: 1,
      rankCount: 2,
      requestsPerGpu: 1,
      promptTokens: 9,
      vocabularySize: 50,
      newTokens: 2,
    };
    const decode = schedule(drawRequests({ ...drawn, prefill: false }), 2);
    expect(kindsOf(decode.plans[0]!)).toEqual(["decode", "decode", "end"]);
    expect(decode.plans[0]![0]).toMatchObject({
      requests: [{ admit: { positions: 11, drawnPositions: 9 } }],
    });
    const prefill = schedule(drawRequests({ ...drawn, prefill: true, newTokens: 1 }), 2, {
      prefillOnly: true,
    });
    expect(kindsOf(prefill.plans[0]!)).toEqual(["prefill", "end"]);
  });

  test("draws the same prompts whatever the number of requests", () => {
    const draw = (requestsPerGpu: number): WorkloadRequest[] =>
      drawRequests({
        seed: 4,
        rankCount: 2,
        requestsPerGpu,
        promptTokens: 5,
        vocabularySize: 99,
        prefill: true,
        newTokens: 1,
      });
    expect(draw(6).slice(0, 4)).toEqual(draw(2));
  });
});
