// `windtunnel fabric`: flows over a fabric, each with its finish time, by either contention model.

import { type Command, Option } from "commander";
import type { ContentionModel, FlowFile, FlowSimulation } from "@windtunnel/network-plane";
import { readJsonFile } from "../read-json-file.ts";
import type { Screen } from "../screen.ts";
import { examples } from "../subcommand.ts";

interface Options {
  readonly model: ContentionModel;
  readonly json?: true;
}

/** Written out, so that `--help` loads nothing; `satisfies` compares it with the models that there are. */
const MODELS = Object.keys({ trains: true, fluid: true } satisfies Record<ContentionModel, true>);

export function configure(command: Command, screen: Screen): void {
  command
    .argument("<file>", "fabric and flows, as JSON")
    .addOption(
      new Option("--model <model>", "trains: event by event, first in, first out; fluid: max-min fair rates")
        .choices(MODELS)
        .default("trains"),
    )
    .option("--json", "print the file with a finishNs for each flow and nothing else")
    .addHelpText(
      "after",
      examples(
        "windtunnel fabric test/fixtures/fabric-incast.json",
        "windtunnel fabric test/fixtures/fabric-small.json --model fluid --json",
      ),
    )
    .action(async (name: string, { model, json }: Options) => {
      const { checkFlowFile, simulateFlows } = await import("@windtunnel/network-plane");
      const file = checkFlowFile(readJsonFile(name), name);
      const simulation = simulateFlows(file, model);
      if (json) {
        screen.print(JSON.stringify(withFinishTimes(file, model, simulation), undefined, 2));
        return;
      }
      const { renderFlows } = await import("../report/fabric-report.ts");
      screen.print(renderFlows({ title: `${name}, ${model}`, file, simulation }, screen.colours));
    });
}

/** The file again; `oracle` says what made its finish times. */
function withFinishTimes(file: FlowFile, model: ContentionModel, { flows }: FlowSimulation): FlowFile {
  return {
    oracle: `windtunnel fabric --model ${model}`,
    fabric: file.fabric,
    flows: file.flows.map((flow, index) => ({ ...flow, finishNs: flows[index]!.finishNs })),
  };
}
