// `windtunnel analyze --what-if`: the scenario of a run again, with one change at a time. "Before" is always the repeated
// run, and where that is not the recorded one any more, it says so.

import { WorldError } from "@windtunnel/base";
import { interruptible } from "../interruption.ts";
import { wrap } from "../report/table.ts";
import type { Screen } from "../screen.ts";
import type { AnalyzeOptions } from "./options.ts";
import { recordedEventsOf, scenarioFileOf } from "./scenario-of-run.ts";

const OTHER_RUN =
  "The run that was repeated is not the recorded one: a file that the scenario names, or this version of windtunnel, has " +
  "changed since. “Before” is the repeated run.";

export async function tryChanges(
  run: string,
  { whatIf, json }: AnalyzeOptions,
  screen: Screen,
): Promise<void> {
  const { defaultChanges, loadScenario, parseChanges, runWhatIf } = await import("@windtunnel/cluster");
  const file = await scenarioFileOf(run);
  const recordedEvents = recordedEventsOf(file);
  const scenario = loadScenario(file, []);
  const changes =
    typeof whatIf === "string" ? namingOption(() => parseChanges(whatIf)) : defaultChanges(scenario);
  const { createPartsDisplay } = await import("../report/progress.ts");
  const display = createPartsDisplay(screen, "what if, runs", changes.length + 1);
  try {
    const result = await interruptible(screen, (signal) => {
      signal.addEventListener("abort", () => display.stop());
      return runWhatIf({ scenario, changes, signal, onProgress: ({ index }) => display.update(index) });
    });
    const { renderWhatIf } = await import("../report/what-if-report.ts");
    display.stop();
    if (recordedEvents !== undefined && recordedEvents !== result.unchanged.digests.events) {
      screen.remark(`${wrap(OTHER_RUN)}\n`);
    }
    screen.print(json ? JSON.stringify(result, undefined, 2) : renderWhatIf(result, screen.colours));
  } finally {
    display.stop();
  }
}

/** What a change's text lacks is said in the name of the option that holds it. */
function namingOption<Result>(parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    throw new WorldError(error.code, `--what-if: ${error.message}`, { ...error.details, path: "--what-if" });
  }
}
