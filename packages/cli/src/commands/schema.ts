// `windtunnel schema`: the JSON Schema of a scenario, as packages/cli/scenario.schema.json holds it.

import type { Command } from "commander";
import type { Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";

export function configure(command: Command, screen: Screen): void {
  command
    .option("--json", "the same: a JSON Schema is JSON")
    .addHelpText("after", examples("windtunnel schema > scenario.schema.json"))
    .action(async () => {
      const { scenarioJsonSchema } = await import("@windtunnel/cluster");
      screen.print(JSON.stringify(scenarioJsonSchema(), undefined, 2));
    });
}
