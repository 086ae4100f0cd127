// The program: which subcommands there are, and how a command ends. Only the subcommand that is asked for is
// imported. Exit codes: 0 done, 1 the run failed, 2 the input is wrong, 128 + n ended by a signal.

import { readFileSync } from "node:fs";
import process from "node:process";
import { Command, CommanderError } from "commander";
import { endWithLauncher, Interrupted } from "./interruption.ts";
import { type ErrorReport, reportError } from "./report/error-report.ts";
import { processScreen, type Screen } from "./screen.ts";
import { type ConfigureCommand, examples } from "./subcommand.ts";

interface Subcommand {
  readonly summary: string;
  readonly load: () => Promise<{ readonly configure: ConfigureCommand }>;
}

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  run: { summary: "run a scenario on an emulated cluster", load: () => import("./commands/run.ts") },
  sweep: {
    summary: "a scenario over a grid of values: one table and a plot",
    load: () => import("./commands/sweep.ts"),
  },
  start: {
    summary: "the first run: one cluster, without and with overlap",
    load: () => import("./commands/start.ts"),
  },
  generate: {
    summary: "the reference: one model in one process",
    load: () => import("./commands/generate.ts"),
  },
  models: { summary: "list models that need no checkpoint", load: () => import("./commands/models.ts") },
  alltoall: {
    summary: "one dispatch and one combine alone, as DeepEP measures them",
    load: () => import("./commands/alltoall.ts"),
  },
  fabric: {
    summary: "flows over a fabric, each with its finish time",
    load: () => import("./commands/fabric.ts"),
  },
  topology: {
    summary: "switches, links and latencies of a fabric, and a picture",
    load: () => import("./commands/topology.ts"),
  },
  validate: {
    summary: "published figures beside ours: calibration, identity, prediction",
    load: () => import("./commands/validate.ts"),
  },
  analyze: {
    summary: "where a run's time went, what is wrong with it, and what if",
    load: () => import("./commands/analyze.ts"),
  },
  diff: {
    summary: "what differs between two runs, and what that did to their steps",
    load: () => import("./commands/diff.ts"),
  },
  export: {
    summary: "a run's recording in the formats of other tools",
    load: () => import("./commands/export.ts"),
  },
  bench: { summary: "measure the emulator's own speed", load: () => import("./commands/bench.ts") },
  schema: {
    summary: "print the JSON Schema of a scenario, for editors",
    load: () => import("./commands/schema.ts"),
  },
};

const WRONG_USAGE = 2;

/** The `windtunnel` command of this process; sets its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  endWithLauncher();
  // A reader that has seen enough (`windtunnel … | head`) is no fault.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  // Nobody is left to hear remarks (the terminal or the launcher is gone): the work still ends in order.
  process.stderr.on("error", () => undefined);
  process.exitCode = await runProgram(argv, processScreen({ isData: argv.includes("--json") }));
}

/** Runs one command line and returns its exit code. Throws nothing. */
export async function runProgram(argv: readonly string[], screen: Screen): Promise<number> {
  try {
    await (await createProgram(argv, screen)).parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    const { text, exitCode } = reportEnd(error, screen);
    if (text !== "") screen.remark(text);
    return exitCode;
  }
}

async function createProgram(argv: readonly string[], screen: Screen): Promise<Command> {
  const program = new Command("windtunnel")
    .description("A wind tunnel for Mixture-of-Experts inference clusters.")
    .version(version(), "-v, --version", "print the version")
    .helpCommand(false)
    .showHelpAfterError("(--help shows what is allowed)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => screen.print(text.trimEnd()),
      writeErr: (text) => screen.remark(text.trimEnd()),
      getOutHelpWidth: () => 80,
      getErrHelpWidth: () => 80,
    })
    .addHelpText(
      "after",
      examples("windtunnel start", "windtunnel run packages/cli/examples/two-nodes.yaml"),
    );
  const asked = argv.find((argument) => !argument.startsWith("-"));
  for (const [name, { summary, load }] of Object.entries(SUBCOMMANDS)) {
    const command = program.command(name).description(summary);
    if (name === asked) (await load()).configure(command, screen);
  }
  return program;
}

function reportEnd(error: unknown, screen: Screen): ErrorReport {
  // Commander has said already what was wrong, or printed the help that was asked for.
  if (error instanceof CommanderError) return { text: "", exitCode: error.exitCode === 0 ? 0 : WRONG_USAGE };
  if (error instanceof Interrupted) return { text: error.message, exitCode: error.exitCode };
  return reportError(error, screen.remarkColours);
}

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
