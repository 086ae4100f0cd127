// `windtunnel alltoall`: one dispatch and one combine alone, as DeepEP's own benchmark measures them; or a table of them.

import type { Command } from "commander";
import type { AllToAllOptions } from "@windtunnel/cluster";
import { type Axis, axesOf, type GridPoint, pointsOf } from "../all-to-all/grid.ts";
import { inOptions } from "../all-to-all/option-errors.ts";
import { addOptions, flagOf, measuredOptions, type TypedOptions } from "../all-to-all/typed-options.ts";
import type { SweptResult } from "../report/all-to-all-table.ts";
import type { Screen } from "../screen.ts";
import { collect, examples } from "../subcommand.ts";

interface Options extends Omit<TypedOptions, "pattern"> {
  readonly pattern?: readonly string[];
  readonly sweep?: readonly string[];
  readonly json?: true;
}

const NOTES = `
Defaults are those of DeepEP's benchmark. They stand in parentheses, and depend
on the pattern. Patterns that are compared share gate, tokens and experts: with
low-latency among them 128 tokens, 288 experts (256 where 288 do not divide by
the ranks) and no groups; else 4096 tokens, 256 experts and a group for each
node, 4 of them for a token, where groups divide the experts.

--sweep takes values of any option above; several sweeps give every combination.
`;

export function configure(command: Command, screen: Screen): void {
  addOptions(command);
  command
    .option("--sweep <option=values>", "an option's values, as in ranks=8,16,32; may be repeated", collect)
    .option("--json", "print the result and nothing else; of several: a list of them")
    .addHelpText("after", NOTES)
    .addHelpText(
      "after",
      examples(
        "windtunnel alltoall --ranks 32",
        "windtunnel alltoall --pattern normal --ranks 32 --nodes-per-leaf 2",
        "windtunnel alltoall --pattern direct,normal,low-latency --ranks 64",
        "windtunnel alltoall --pattern normal --sweep ranks=8,16,32 --json",
        "windtunnel alltoall --ranks 16 --tokens 0,5,128 --gate zipf:1.2",
        "windtunnel alltoall --nodes-per-leaf 1 --sweep routing=static,ecmp,adaptive",
      ),
    )
    .action(async ({ pattern: patterns = [], sweep = [], json, ...fixed }: Options) => {
      const { nearestName } = await import("@windtunnel/cluster");
      const axes = axesOf(sweep, patterns, fixed, nearestName);
      const [only] = patterns;
      const typed: TypedOptions =
        only === undefined || patterns.length > 1 ? fixed : { ...fixed, pattern: only };
      const results = await measure(axes, pointsOf(axes, typed), screen);
      if (json) {
        const { resultJson } = await import("../all-to-all/result-json.ts");
        const data = results.map(({ result }) => resultJson(result));
        screen.print(JSON.stringify(axes.length === 0 ? data[0] : data, undefined, 2));
        return;
      }
      if (axes.length === 0) {
        const { renderAllToAll } = await import("../report/all-to-all-report.ts");
        screen.print(renderAllToAll(results[0]!.result, screen.colours));
        return;
      }
      const { renderAllToAlls } = await import("../report/all-to-all-table.ts");
      screen.print(
        renderAllToAlls(
          axes.map(({ name }) => name),
          results,
          screen.colours,
        ),
      );
    });
}

/** All points are checked before the first is measured. */
async function measure(
  axes: readonly Axis[],
  points: readonly GridPoint[],
  screen: Screen,
): Promise<SweptResult[]> {
  const { checkAllToAll, runAllToAll } = await import("@windtunnel/cluster");
  const { createCountDisplay } = await import("../report/count-display.ts");
  const options = await Promise.all(points.map(async ({ typed }) => await optionsOf(axes, typed)));
  for (const [index, { typed }] of points.entries()) translated(typed, () => checkAllToAll(options[index]!));
  const display = createCountDisplay(screen, "alltoall");
  try {
    return points.map(({ typed, place }, index) => {
      const { pattern, ranks } = options[index]!;
      const swept = axes.map(({ name }, axis) => `${flagOf(name).slice(2)} ${place[axis]}`);
      display.begin(
        index,
        points.length,
        axes.length === 0 ? `${pattern}, ${ranks} ranks` : swept.join(", "),
      );
      return { place, result: translated(typed, () => runAllToAll(options[index]!)) };
    });
  } finally {
    display.stop();
  }
}

async function optionsOf(axes: readonly Axis[], typed: TypedOptions): Promise<AllToAllOptions> {
  const { isModuleFile, withBenchmarkDefaults } = await import("@windtunnel/cluster");
  const path = await import("node:path");
  const compared = axes.find(({ name }) => name === "pattern")?.values.map(({ text }) => text);
  return translated(typed, () => {
    const options = withBenchmarkDefaults(measuredOptions(typed), compared);
    return isModuleFile(options.pattern) ? { ...options, pattern: path.resolve(options.pattern) } : options;
  });
}

function translated<Result>(typed: TypedOptions, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw inOptions(error, (name) => Object.hasOwn(typed, name));
  }
}
