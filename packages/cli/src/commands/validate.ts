// `windtunnel validate`: published figures beside ours in three tables, and the document that keeps them; or the
// experiments on the network, and theirs.

import { writeFileSync } from "node:fs";
import { inputError } from "@windtunnel/base";
import type { Command } from "commander";
import type { Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";

interface Options {
  readonly only?: string;
  readonly experiments?: true;
  readonly write?: string;
  readonly json?: true;
}

export function configure(command: Command, screen: Screen): void {
  command
    .option("--only <part>", "one part of the tables, such as P2, I3 or links")
    .option("--experiments", "the experiments on the network instead of the tables")
    .option(
      "--write <file>",
      "write it as Markdown; the repository keeps docs/fidelity.md and docs/experiments.md",
    )
    .option("--json", "print data and nothing else")
    .addHelpText(
      "after",
      examples(
        "windtunnel validate",
        "windtunnel validate --only P2",
        "windtunnel validate --only P11",
        "windtunnel validate --write docs/fidelity.md",
        "windtunnel validate --experiments --write docs/experiments.md",
      ),
    )
    .action(async (options: Options) => {
      checkOptions(options);
      await (options.experiments === true ? experiments(options, screen) : tables(options, screen));
    });
}

function checkOptions({ only, experiments: isExperiments, write }: Options): void {
  if (only === undefined) return;
  const beside = isExperiments === true ? "--experiments" : write === undefined ? undefined : "--write";
  if (beside === undefined) return;
  const allowed = "without it: they take all parts";
  throw inputError(`--only: found ${only} beside ${beside}; allowed: ${beside} ${allowed}`, {
    path: "--only",
    found: `${only} beside ${beside}`,
    allowed: `${beside} ${allowed}`,
  });
}

async function tables({ only, write, json }: Options, screen: Screen): Promise<void> {
  const { computeFidelity, fidelityData, renderFidelityDocument } = await import("@windtunnel/fidelity");
  const { createCountDisplay } = await import("../report/count-display.ts");
  const display = createCountDisplay(screen, "validate");
  let computed;
  try {
    computed = await computeFidelity({
      only,
      onPart: ({ id, title }, index, count) => display.begin(index, count, `${id} ${title}`),
    });
  } finally {
    display.stop();
  }
  if (write !== undefined) writeDocument(write, renderFidelityDocument(computed), screen);
  if (json) screen.print(JSON.stringify(fidelityData(computed), undefined, 2));
  else if (write === undefined) {
    const { renderFidelity } = await import("../report/validate-report.ts");
    screen.print(renderFidelity(computed, screen.colours));
  }
}

async function experiments({ write, json }: Options, screen: Screen): Promise<void> {
  const { experimentTexts, renderExperimentsDocument, runExperiments } = await import("@windtunnel/fidelity");
  const { createCountDisplay } = await import("../report/count-display.ts");
  const display = createCountDisplay(screen, "experiments");
  let results;
  try {
    results = runExperiments((name, index, count) => display.begin(index, count, name));
  } finally {
    display.stop();
  }
  const document = renderExperimentsDocument(results);
  if (write !== undefined) writeDocument(write, document, screen);
  if (json) screen.print(JSON.stringify({ experiments: experimentTexts(results) }, undefined, 2));
  else if (write === undefined) screen.print(document.trimEnd());
}

function writeDocument(file: string, text: string, screen: Screen): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    const found = (error as NodeJS.ErrnoException).code ?? String(error);
    throw inputError(`--write: ${file} can't be written (${found})`, {
      path: "--write",
      file,
      found,
      allowed: "a file in a folder that is there and can be written",
    });
  }
  screen.remark(`wrote ${file}`);
}
