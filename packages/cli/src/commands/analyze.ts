// `windtunnel analyze`: where a run's time went, from its recording; what single changes would gain, by running it again; and
// the overlap of anybody's PyTorch-profiler trace.

import { inputError } from "@windtunnel/base";
import type { Command } from "commander";
import type { Recording } from "@windtunnel/trace";
import { type AnalyzeOptions, checkTogether } from "../analyze/options.ts";
import type { TimelineOptions } from "../report/timeline-window.ts";
import { exportedTracesIn, recordingOf } from "../run-files.ts";
import type { Screen } from "../screen.ts";
import { collect, examples } from "../subcommand.ts";

const MORE = `
Causes are those of docs/traces.md; their sum is the step, on every rank.

What if: changes with commas between them, each tried on its own with the run's
seed; the largest gain comes first. Without a list, all that can make a
difference are tried. Schedules and dispatch are not tried by themselves.
  nic=2x nvlink=2x pcie=2x launch=0      set a factor for all of the kind
  gpu:17=1x link:NAME=1x expert:17=1x    set the factor of one
  gpus=2x                                multiplies the factors that are there
  gate=balanced|gate-like                draws the routing in this way
  schedule=NAME dispatch=NAME            of decode, or of a prefill-only run
  prefill.schedule= decode.schedule=     a name, or the path of a file
  prefill.dispatch= decode.dispatch=
`;

export function configure(command: Command, screen: Screen): void {
  command
    .argument("<run>", "the folder of a run, a recording, or a PyTorch-profiler trace (.json, .json.gz)")
    .option("--what-if [changes]", "run it again with one change at a time, and tell what each gains")
    .option("--step <step>", "the step to show; the first is 0 (default: the longest of the last kind)")
    .option("--ranks <ranks>", "ranks of the timeline: all, or as in 0-3,5 (default: slowest and median)")
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
    .action(async (run: string, options: AnalyzeOptions) => {
      const isProfilerTrace = /\.json(?:\.gz)?$/.test(run);
      checkTogether(run, isProfilerTrace, options);
      if (isProfilerTrace) return analyzeKineto(run, options, screen);
      if (options.whatIf === undefined) return analyze(run, options, screen);
      const { tryChanges } = await import("../analyze/what-if.ts");
      return tryChanges(run, options, screen);
    });
}

async function analyzeKineto(file: string, options: AnalyzeOptions, screen: Screen): Promise<void> {
  const { kinetoOverlap, readKineto } = await import("@windtunnel/trace");
  const { renderKinetoOverlap } = await import("../report/kineto-report.ts");
  const { communication } = options;
  const overlap = kinetoOverlap(readKineto(file), communication === undefined ? {} : { communication });
  screen.print(
    options.json ? JSON.stringify(overlap, undefined, 2) : renderKinetoOverlap(overlap, screen.colours),
  );
}

async function analyze(run: string, options: AnalyzeOptions, screen: Screen): Promise<void> {
  const { analyzeRun, gpusOf, openRecording, overlapOfRun, stepsOf } = await import("@windtunnel/trace");
  const { createPartsDisplay } = await import("../report/progress.ts");
  refuseExported(run);
  const recording = openRecording(recordingOf(run));
  try {
    const steps = stepsOf(recording).map(({ step }) => step);
    const step = chosenStep(steps, options);
    const asked = await timelineOf(recording, options);
    const display = createPartsDisplay(screen, "reading steps", steps.length);
    let read = 0;
    const analysis = analyzeRun(recording, {
      ...(step === undefined ? {} : { step }),
      onStep: () => display.update(++read),
    });
    display.stop();
    const overlap = overlapOfRun(recording);
    const timeline = { ...asked, step: analysis.criticalPath.step };
    if (options.json) {
      const { readTimeline } = await import("../report/timeline-window.ts");
      // Data has no picture, and what was asked of it is checked all the same.
      if (options.ranks !== undefined || options.layer !== undefined) readTimeline(recording, timeline);
      screen.print(JSON.stringify({ ...analysis, overlap }, undefined, 1));
      return;
    }
    const { renderAnalysis, renderFindings, renderPathPieces } = await import("../report/analysis-report.ts");
    const { renderTimeline } = await import("../report/timeline-picture.ts");
    const { renderWaitMatrix } = await import("../report/wait-matrix-picture.ts");
    const { colours } = screen;
    const looks = { width: screen.width, colours };
    const { ranks, meanUs } = analysis.waits;
    // Before anything is printed: it refuses what the recording does not hold.
    const picture = renderTimeline(recording, { ...looks, ...timeline });
    screen.print(renderAnalysis({ analysis, overlap, folder: run }, colours));
    const names = gpusOf(recording.header)
      .toSorted((a, b) => a.rank - b.rank)
      .map(({ name }) => name);
    screen.print(`\n${renderWaitMatrix({ ranks, matrix: meanUs, names }, looks)}`);
    if (analysis.waits.findings.length > 0) screen.print(renderFindings(analysis));
    screen.print(`\n${picture}`);
    if (options.path) screen.print(`\n${renderPathPieces(analysis, looks)}`);
  } finally {
    recording.close();
  }
}

/** A folder of traces for other tools, rank by rank, is no run, but each of its files can be analyzed. */
function refuseExported(run: string): void {
  const [first] = exportedTracesIn(run);
  if (first === undefined) return;
  const found = "PyTorch-profiler traces, one for each rank, and no recording.bin";
  throw inputError(`${run}: found ${found}; allowed: one of them, as in windtunnel analyze ${first}`, {
    file: run,
    found,
    allowed: first,
  });
}

/** The step that was asked for, if the run has it. */
function chosenStep(steps: readonly number[], { step }: AnalyzeOptions): number | undefined {
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
  { ranks, layer }: AnalyzeOptions,
): Promise<Pick<TimelineOptions, "ranks" | "layers">> {
  const { gpusOf, parseSelection } = await import("@windtunnel/trace");
  const chosen = ranks === undefined ? undefined : parseSelection(ranks, "--ranks");
  const all = gpusOf(recording.header).map(({ rank }) => rank);
  const number = layer === undefined ? undefined : wholeNumberOf("--layer", layer, "a layer's number");
  return {
    ...(chosen === undefined ? {} : { ranks: chosen === "all" ? all : [...chosen] }),
    ...(number === undefined ? {} : { layers: { first: number, last: number } }),
  };
}
