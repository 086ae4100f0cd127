// `windtunnel diff`: two runs, where they part, and what that did to the time of their steps.

import { existsSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import type { RunDiff } from "@windtunnel/trace";
import { type FieldDifference, fieldDifferences } from "../field-differences.ts";
import { readJsonFile } from "../read-json-file.ts";
import { recordingOf } from "../run-files.ts";
import type { Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";

interface Options {
  readonly json?: true;
}

/** Two runs' recordings, and what else their folders tell. */
export interface DiffReport extends RunDiff {
  /** Null where a folder holds no scenario.json. */
  readonly scenario: readonly FieldDifference[] | null;
  /** Of the summaries' digests, whether both runs have the same; null where a folder holds no summary.json. */
  readonly digests: Readonly<Record<string, boolean>> | null;
}

const EXPLANATION = `
Spans are matched by rank, step, layer, micro-batch, name and occurrence, so
runs of two sizes are compared where they match. Where the runs have different
numbers of micro-batches, what a rank does under one name in a layer is summed
over them. Changes are after less before. ± stands before the mean of changes
without their signs, where some spans lose what others gain; · is no change, or
one below 1 ns and a thousandth of the quantity. The most changed layer is the
one in which ranks compute longer or shorter than before, over all micro-
batches. The exit code is 0 whether or not the runs differ.
`;

export function configure(command: Command, screen: Screen): void {
  command
    .argument("<before>", "the folder of a run, or its recording.bin")
    .argument("<after>", "the run to compare with it")
    .option("--json", "print all differences as JSON and nothing else")
    .addHelpText("after", EXPLANATION)
    .addHelpText(
      "after",
      examples(
        "windtunnel diff runs/start-sequential runs/start-five-stage",
        "windtunnel diff runs/before runs/after --json",
      ),
    )
    .action(async (before: string, after: string, { json }: Options) => {
      const report = await compare(recordingOf(before), recordingOf(after));
      if (json) {
        screen.print(JSON.stringify(report, undefined, 2));
        return;
      }
      const { renderDiff } = await import("../report/diff-report.ts");
      screen.print(renderDiff({ before, after, report }, screen.colours));
    });
}

async function compare(before: string, after: string): Promise<DiffReport> {
  const { diffRuns, openRecording } = await import("@windtunnel/trace");
  const opened = openRecording(before);
  try {
    const other = openRecording(after);
    try {
      const scenarios = readBoth(before, after, "scenario.json");
      const summaries = readBoth(before, after, "summary.json");
      return {
        ...diffRuns(opened, other),
        scenario: scenarios === undefined ? null : fieldDifferences(...scenarios),
        digests: summaries === undefined ? null : comparedDigests(...summaries),
      };
    } finally {
      other.close();
    }
  } finally {
    opened.close();
  }
}

/** What both runs wrote beside their recordings; undefined unless both have it. */
function readBoth(before: string, after: string, name: string): [unknown, unknown] | undefined {
  const files = [before, after].map((recording) => path.join(path.dirname(recording), name));
  if (!files.every((file) => existsSync(file))) return undefined;
  return [readJsonFile(files[0]!), readJsonFile(files[1]!)];
}

function comparedDigests(before: unknown, after: unknown): Record<string, boolean> {
  const [a, b] = [digestsOf(before), digestsOf(after)];
  return Object.fromEntries(Object.keys(a).map((name) => [name, a[name] === b[name]]));
}

function digestsOf(summary: unknown): Readonly<Record<string, unknown>> {
  const digests = (summary as { readonly digests?: unknown } | null)?.digests;
  return typeof digests === "object" && digests !== null ? (digests as Record<string, unknown>) : {};
}
