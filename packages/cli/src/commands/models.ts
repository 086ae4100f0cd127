// `windtunnel models`: the presets, with their sizes and the memory that they take when they are executed.

import type { Command } from "commander";
import type { Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";

export function configure(command: Command, screen: Screen): void {
  command
    .option("--json", "print every dimension, as JSON")
    .addHelpText("after", examples("windtunnel models", "windtunnel models --json"))
    .action(async (options: { readonly json?: true }) => {
      const { listPresets } = await import("@windtunnel/model");
      if (options.json) {
        screen.print(JSON.stringify(listPresets(), undefined, 2));
        return;
      }
      const { renderTable, wrap } = await import("../report/table.ts");
      const { formatBytes, formatMagnitude } = await import("../report/format.ts");
      const rows = listPresets().map(({ name, config, parameters, bytes, isExecutable }) => [
        name,
        `${config.layerCount} (${config.denseLayerCount})`,
        String(config.hiddenSize),
        `${config.expertCount} x ${config.expertInnerSize}`,
        String(config.expertsPerToken),
        formatMagnitude(parameters),
        isExecutable ? formatBytes(bytes) : "timed only",
      ]);
      screen.print(
        renderTable(
          {
            head: ["preset", "layers", "hidden", "experts", "top", "parameters", "memory"],
            aligns: ["left", "right", "right", "right", "right", "right", "right"],
            rows,
          },
          screen.colours,
        ),
      );
      screen.print("");
      screen.print(
        wrap(
          "Of the layers, those in brackets are dense; the others have experts. Executed models have weights drawn from the seed and take their memory as 32-bit floats. Models that are " +
            "timed only give their dimensions to the virtual clock: timing: { model: NAME }.",
        ),
      );
    });
}
