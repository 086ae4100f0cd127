// `windtunnel analyze`: where a run's time went, from its recording; what single changes would gain, by running it again; and
// the overlap of anybody's PyTorch-profiler trace.

import { existsSync } from "node:fs";
import path from "node:path";
import { inputError } from "@windtunnel/base";
import type { Command } from "commander";
import type { Recording } from "@windtunnel/trace";
import { interruptible } from "../interruption.ts";
import { recordingOf } from "../run-files.ts";
import type { Screen } from "../screen.ts";
import { collect, examples } from "../subcommand.ts";

interface Options {
  readonly step?: string;
  readonly ranks?: string;
  readonly layer?: string;
  readonly path?: true;
  readonly whatIf?: string | true;
  readonly communication?: readonly string[];
  readonly json?: true;
}

const MORE = `
Causes are those of docs/traces.md; their sum is the step, on every rank. What
if: nic=2x, nvlink=2x, pcie=2x, launch=0, gpus=2x, gate=balanced, gpu:17=1x,
link:NAME=1x, expert:17=1x, schedule=NAME, dispatch=NAME, with commas between
them; each is tried on its own with the run's seed. Without a list, all that can
make a difference are tried, and come in the order of what they gain.
`;

export function configure(command: Command, screen: Screen): void {
  command
    .argument("<run>", "the folder of a run, a recording, or a PyTorch-profiler trace (.json, .json.gz)")
    .option("--what-if [changes]", "run it again with one change at a time, and tell what each gains")
    .option("--step <step>", "the step to show; the first is 0 (default: the longest of the last kind)")
    .option("--ranks <ranks>", "ranks of the timeline, as in 0,5 (default: the slowest and the median)")
    .option("--layer <layer>", "the layer of the timeline (default: the one in the middle)")
    .option("--path", "the critical path piece by piece")
    .option(
      "--communication <regex>",
      "names of kernels that communicate, in a PyTorch-profiler trace; may be repeated",
      collect,
    )
    .option("--json", "print the analysis and nothing else")
    .addHelpText("after", MORE)
    .addHelpText(
      "after",
      examples(
        "windtunnel analyze runs/start-five-stage",
        "windtunnel analyze runs/start-five-stage --what-if nic=2x,launch=0",
        "windtunnel analyze trace-rank-0.json.gz --communication nccl",
      ),
    )
    .action(async (run: string, options: Options) => {
      if (/\.json(?:\.gz)?$/.test(run)) return analyzeKineto(run, options, screen);
      if (options.communication !== undefined) {
        throw inputError("--communication is for PyTorch-profiler traces; a recording knows its kernels", {
          path: "--communication",
          found: run,
          allowed: "a .json or .json.gz file",
        });
      }
      return options.whatIf === undefined ? analyze(run, options, screen) : tryChanges(run, options, screen);
    });
}

async function analyzeKineto(file: string, options: Options, screen: Screen): Promise<void> {
  const { kinetoOverlap, readKineto } = await import("@windtunnel/trace");
  const { renderKinetoOverlap } = await import("../report/kineto-report.ts");
  const { communication } = options;
  const overlap = kinetoOverlap(readKineto(file), communication === undefined ? {} : { communication });
  screen.print(
    options.json ? JSON.stringify(overlap, undefined, 2) : renderKinetoOverlap(overlap, screen.colours),
  );
}

async function analyze(run: string, options: Options, screen: Screen): Promise<void> {
  const { analyzeRun, gpusOf, openRecording, overlapOfRun, stepsOf } = await import("@windtunnel/trace");
  const { createPartsDisplay } = await import("../report/progress.ts");
  const recording = openRecording(recordingOf(run));
  try {
    const steps = stepsOf(recording).map(({ step }) => step);
    const step = chosenStep(steps, options);
    const display = createPartsDisplay(screen, "reading steps", steps.length);
    let read = 0;
    const analysis = analyzeRun(recording, {
      ...(step === undefined ? {} : { step }),
      onStep: () => display.update(++read),
    });
    display.stop();
    const overlap = overlapOfRun(recording);
    if (options.json) {
      screen.print(JSON.stringify({ ...analysis, overlap }, undefined, 1));
      return;
    }
    const { renderAnalysis, renderFindings, renderPathPieces } = await import("../report/analysis-report.ts");
    const { renderTimeline } = await import("../report/timeline-picture.ts");
    const { renderWaitMatrix } = await import("../report/wait-matrix-picture.ts");
    const { colours } = screen;
    const window = { width: screen.width, colours };
    const { ranks, meanUs } = analysis.waits;
    const shown = await timelineOf(recording, analysis.criticalPath.step, options);
    screen.print(renderAnalysis({ analysis, overlap, folder: run }, colours));
    const names = gpusOf(recording.header)
      .toSorted((a, b) => a.rank - b.rank)
      .map(({ name }) => name);
    screen.print(`\n${renderWaitMatrix({ ranks, matrix: meanUs, names }, window)}`);
    if (analysis.waits.findings.length > 0) screen.print(renderFindings(analysis));
    screen.print(`\n${renderTimeline(recording, { ...window, ...shown })}`);
    if (options.path) screen.print(`\n${renderPathPieces(analysis, colours)}`);
  } finally {
    recording.close();
  }
}

/** The step that was asked for, if the run has it. */
function chosenStep(steps: readonly number[], { step }: Options): number | undefined {
  if (step === undefined) return undefined;
  const number = wholeNumberOf("--step", step, "a step's number");
  if (steps.includes(number)) return number;
  const allowed = steps.length === 0 ? "none: it has no finished step" : `0 to ${steps.at(-1)!}`;
  throw inputError(`--step: found ${step}; allowed: ${allowed}`, { path: "--step", found: step, allowed });
}

function wholeNumberOf(option: string, text: string, allowed: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw inputError(`${option}: found ${text === "" ? "nothing" : text}; allowed: ${allowed}`, {
    path: option,
    found: text,
    allowed,
  });
}

/** What the timeline shows, where somebody asked. */
async function timelineOf(
  recording: Recording,
  step: number,
  { ranks, layer }: Options,
): Promise<{ step: number; ranks?: number[]; layers?: { first: number; last: number } }> {
  const { gpusOf, parseSelection } = await import("@windtunnel/trace");
  const chosen = ranks === undefined ? undefined : parseSelection(ranks, "--ranks");
  const all = gpusOf(recording.header).map(({ rank }) => rank);
  const number = layer === undefined ? undefined : wholeNumberOf("--layer", layer, "a layer's number");
  return {
    step,
    ...(chosen === undefined ? {} : { ranks: chosen === "all" ? all : [...chosen] }),
    ...(number === undefined ? {} : { layers: { first: number, last: number } }),
  };
}

/** Runs the scenario of the run again, changed. */
async function tryChanges(run: string, { whatIf, json }: Options, screen: Screen): Promise<void> {
  const { defaultChanges, loadScenario, parseChanges, runWhatIf } = await import("@windtunnel/cluster");
  const file = path.join(run, "scenario.json");
  if (!existsSync(file)) {
    const allowed = "the folder of a run, with its scenario.json";
    throw inputError(`${run}: found no scenario.json; allowed: ${allowed}`, { file: run, allowed });
  }
  const scenario = loadScenario(file, []);
  const changes = typeof whatIf === "string" ? parseChanges(whatIf) : defaultChanges(scenario);
  const { createPartsDisplay } = await import("../report/progress.ts");
  const display = createPartsDisplay(screen, "what if, runs", changes.length + 1);
  try {
    const result = await interruptible(screen, (signal) => {
      signal.addEventListener("abort", () => display.stop());
      return runWhatIf({ scenario, changes, signal, onProgress: ({ index }) => display.update(index) });
    });
    const { renderWhatIf } = await import("../report/what-if-report.ts");
    display.stop();
    screen.print(json ? JSON.stringify(result, undefined, 2) : renderWhatIf(result, screen.colours));
  } finally {
    display.stop();
  }
}
