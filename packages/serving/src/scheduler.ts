// The scheduler as a logical process: plans a step for every rank, waits for all reports, plans the next. First all
// prompts are prefilled, within a budget of tokens per rank and step; then every step decodes one token of each
// request, until each is done. It knows no model and no GPU.

import { after, type Duration, defined, type Instant, invariant, RUN_START } from "@windtunnel/base";
import { CONTROL_EVENTS } from "@windtunnel/gpu";
import type { Recorder } from "@windtunnel/trace";
import type { LogicalProcess, ProcessContext, ProcessEvent, WaitReport } from "@windtunnel/virtual-time";
import type { Plan, PlannedRequest, StepKind, StepReport } from "./plan.ts";
import { positionsOf, type WorkloadRequest } from "./workload.ts";

export interface SchedulerOptions {
  readonly requests: readonly WorkloadRequest[];
  /** Process number of each rank. */
  readonly rankProcesses: readonly number[];
  /** Prompt tokens that a rank takes in one step; a longer prompt has a step for itself. */
  readonly prefillTokensPerRank: number;
  /** Prompts are prefilled and nothing more. */
  readonly prefillOnly: boolean;
  /** From scheduler to rank and back, each way. */
  readonly latency: Duration;
  readonly recorder: Recorder;
  readonly onStep?: (stepsDone: number, at: Instant) => void;
}

interface Progress {
  readonly workload: WorkloadRequest;
  readonly tokens: number[];
  startedAt: Instant;
  firstTokenAt: Instant;
  finishedAt: Instant;
  admitted: boolean;
}

/** What became of a request. */
export interface RequestOutcome {
  readonly request: number;
  readonly tokens: readonly number[];
  readonly firstTokenAt: Instant;
  readonly finishedAt: Instant;
}

export interface StepOutcome {
  readonly kind: StepKind;
  readonly requests: number;
  /** Positions that it computed. */
  readonly tokens: number;
  readonly start: Instant;
  readonly end: Instant;
}

export class Scheduler implements LogicalProcess {
  readonly #options: SchedulerOptions;
  readonly #progress: Progress[];
  readonly #steps: StepOutcome[] = [];
  #current: { readonly kind: StepKind; readonly plans: readonly (readonly Progress[])[] } | undefined;
  #reports: StepReport[] = [];
  #plannedAt: Instant = RUN_START;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#progress = options.requests.map((workload) => ({
      workload,
      tokens: [],
      startedAt: RUN_START,
      firstTokenAt: RUN_START,
      finishedAt: RUN_START,
      admitted: false,
    }));
  }

  get outcomes(): readonly RequestOutcome[] {
    return this.#progress.map(({ workload, tokens, firstTokenAt, finishedAt }) => ({
      request: workload.request,
      tokens,
      firstTokenAt,
      finishedAt,
    }));
  }

  get steps(): readonly StepOutcome[] {
    return this.#steps;
  }

  start(context: ProcessContext): void {
    this.#plan(context);
  }

  handle(event: ProcessEvent, context: ProcessContext): void {
    invariant(event.kind === CONTROL_EVENTS.report, `the scheduler does not know event kind ${event.kind}`);
    const report = event.body as StepReport;
    invariant(
      report.step === this.#steps.length,
      `a report of step ${report.step} in step ${this.#steps.length}`,
    );
    this.#reports.push(report);
    if (this.#reports.length < this.#options.rankProcesses.length) return;
    this.#finishStep(context.now);
    this.#plan(context);
  }

  waiting(): readonly WaitReport[] {
    if (this.#current === undefined) return [];
    const here = new Set(this.#reports.map(({ rank }) => rank));
    const missing = this.#options.rankProcesses.flatMap((_, rank) =>
      here.has(rank) ? [] : [`rank ${rank}`],
    );
    return [
      { who: "scheduler", what: `reports of step ${this.#steps.length}`, since: this.#plannedAt, missing },
    ];
  }

  #plan(context: ProcessContext): void {
    const next = this.#nextStep();
    this.#current = next;
    this.#reports = [];
    this.#plannedAt = context.now;
    for (const [rank, process] of this.#options.rankProcesses.entries()) {
      const body: Plan =
        next === undefined
          ? { kind: "end" }
          : {
              kind: next.kind,
              step: this.#steps.length,
              requests: next.plans[rank]!.map((progress) =>
                this.#planRequest(progress, next.kind, context.now),
              ),
            };
      const time = after(context.now, this.#options.latency);
      context.send({ target: process, kind: CONTROL_EVENTS.plan, sentAt: context.now, time, size: 0, body });
    }
  }

  #planRequest(progress: Progress, kind: StepKind, now: Instant): PlannedRequest {
    const { workload, tokens } = progress;
    const { request, prompt, newTokens, drawnPositions, speculation } = workload;
    const last = tokens.length + 1 === newTokens || this.#options.prefillOnly;
    const lastToken = tokens.at(-1);
    const fed = kind === "prefill" || lastToken === undefined ? prompt : decodedTokens(workload, lastToken);
    if (progress.admitted) return { request, tokens: fed, last };
    progress.admitted = true;
    progress.startedAt = now;
    const positions = positionsOf(workload);
    const accepted = speculation === undefined ? {} : { acceptedPerStep: speculation.acceptedPerStep };
    return { request, tokens: fed, last, admit: { positions, drawnPositions, ...accepted } };
  }

  /** Requests of the next step by rank, or undefined when all are done. */
  #nextStep(): { kind: StepKind; plans: Progress[][] } | undefined {
    const plans = this.#options.rankProcesses.map((): Progress[] => []);
    const budgets = plans.map(() => this.#options.prefillTokensPerRank);
    const closed = plans.map(() => false);
    for (const progress of this.#progress) {
      const { rank, prompt, drawnPositions } = progress.workload;
      if (drawnPositions > 0 || progress.tokens.length > 0 || closed[rank]) continue;
      // In the order of arrival: once a prompt does not fit, later ones wait too.
      if (prompt.length > budgets[rank]! && plans[rank]!.length > 0) {
        closed[rank] = true;
        continue;
      }
      budgets[rank]! -= prompt.length;
      plans[rank]!.push(progress);
    }
    if (plans.some((plan) => plan.length > 0)) return { kind: "prefill", plans };
    if (this.#options.prefillOnly) return undefined;
    for (const progress of this.#progress) {
      if (progress.tokens.length < progress.workload.newTokens) plans[progress.workload.rank]!.push(progress);
    }
    return plans.some((plan) => plan.length > 0) ? { kind: "decode", plans } : undefined;
  }

  #finishStep(now: Instant): void {
    const { kind, plans } = defined(this.#current, "the current step");
    const step = this.#steps.length;
    const { recorder } = this.#options;
    const start = Math.min(...this.#reports.map((report) => report.start)) as Instant;
    const end = Math.max(...this.#reports.map((report) => report.end)) as Instant;
    let tokens = 0;
    for (const report of this.#reports.toSorted((a, b) => a.rank - b.rank)) {
      for (const [index, progress] of plans[report.rank]!.entries()) {
        const { prompt, speculation } = progress.workload;
        tokens += kind === "prefill" ? prompt.length : (speculation?.positionsPerStep ?? 1);
        this.#takeToken(
          progress,
          defined(report.newTokens[index], `token ${index} of rank ${report.rank}`),
          now,
        );
        const { request, rank } = progress.workload;
        const span = { start: report.start, end: report.end };
        recorder.requestStep({ request, rank, step, kind, ...span, newTokens: 1 });
      }
    }
    const requests = plans.reduce((sum, plan) => sum + plan.length, 0);
    recorder.step({ step, kind, start: this.#plannedAt, end: now, requests, tokens });
    this.#steps.push({ kind, requests, tokens, start, end });
    for (const progress of plans.flat()) this.#recordIfDone(progress, now);
    this.#options.onStep?.(this.#steps.length, now);
  }

  #takeToken(progress: Progress, token: number, now: Instant): void {
    if (progress.tokens.length === 0) progress.firstTokenAt = now;
    progress.tokens.push(token);
  }

  #recordIfDone(progress: Progress, now: Instant): void {
    const { workload, tokens, startedAt, firstTokenAt } = progress;
    if (tokens.length < workload.newTokens && !this.#options.prefillOnly) return;
    progress.finishedAt = now;
    this.#options.recorder.request({
      request: workload.request,
      rank: workload.rank,
      arrivedAt: RUN_START,
      startedAt,
      firstTokenAt,
      finishedAt: now,
      promptTokens: workload.prompt.length,
      newTokens: tokens.length,
    });
  }
}

/** What a decode step is given: the last token, and where several positions are verified, what is guessed to follow it. */
function decodedTokens({ speculation }: WorkloadRequest, last: number): number[] {
  return Array.from({ length: speculation?.positionsPerStep ?? 1 }, () => last);
}
