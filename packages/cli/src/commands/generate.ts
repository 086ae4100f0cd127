// `windtunnel generate`: the single-process reference. What it says is what every cluster must say.

import { statSync } from "node:fs";
import { type Command, Option } from "commander";
import { inputError } from "@windtunnel/base";
import type { Checkpoint, Generation } from "@windtunnel/model";
import type { Screen } from "../screen.ts";
import { tokenIds, wholeNumber } from "../numbers.ts";
import { examples } from "../subcommand.ts";

type Precision = "f32" | "bf16" | "fp8";

interface Options {
  readonly promptIds: readonly number[];
  readonly maxNewTokens: number;
  readonly logits?: true;
  readonly json?: true;
  readonly seed: number;
  readonly wireDispatch: Precision;
  readonly wireCombine: Exclude<Precision, "fp8">;
}

export function configure(command: Command, screen: Screen): void {
  command
    .argument("<checkpoint>", "a folder with config.json and *.safetensors, or a preset's name")
    .requiredOption("--prompt-ids <ids>", "token ids of the prompt, with commas between them", tokenIds)
    .requiredOption("--max-new-tokens <count>", "how many tokens to generate", wholeNumber(1))
    .option("--logits", "also the logits of the first new token")
    .option("--json", "print { tokens, logits? } and nothing else")
    .option("--seed <seed>", "seed of a preset's weights", wholeNumber(0), 1)
    .addOption(
      new Option("--wire-dispatch <format>", "round what would be dispatched to experts")
        .choices(["f32", "bf16", "fp8"])
        .default("f32"),
    )
    .addOption(
      new Option("--wire-combine <format>", "round what experts would send back")
        .choices(["f32", "bf16"])
        .default("f32"),
    )
    .addHelpText(
      "after",
      examples(
        "windtunnel generate v3-small --prompt-ids 1,2,3 --max-new-tokens 8",
        "windtunnel generate my/checkpoint --prompt-ids 5 --max-new-tokens 4 --json",
      ),
    )
    .action(async (checkpoint: string, options: Options) => {
      const { tokens, firstLogits } = await generate(checkpoint, options);
      const logits = options.logits ? { logits: [...firstLogits] } : {};
      if (options.json) {
        screen.print(JSON.stringify({ tokens, ...logits }));
        return;
      }
      screen.print(tokens.join(" "));
      if (options.logits) screen.print([...firstLogits].map((value) => value.toFixed(5)).join(" "));
    });
}

async function generate(checkpoint: string, options: Options): Promise<Generation> {
  const { loadReference } = await import("@windtunnel/model");
  const { createSimdKernels } = await import("@windtunnel/tensor");
  const { promptIds, maxNewTokens, seed, wireDispatch, wireCombine } = options;
  const { config, source } = await openModel(checkpoint, seed);
  const reference = loadReference({
    config,
    source,
    kernelsFor: createSimdKernels,
    positionCount: promptIds.length + maxNewTokens,
    wire: { dispatch: wireDispatch, combine: wireCombine },
  });
  return reference.generate(promptIds, maxNewTokens);
}

/** A preset by its name, or a checkpoint by its folder. */
async function openModel(name: string, seed: number): Promise<Pick<Checkpoint, "config" | "source">> {
  const { drawnWeights, listPresets, openCheckpoint } = await import("@windtunnel/model");
  const preset = listPresets().find((candidate) => candidate.name === name);
  if (preset?.isExecutable) return { config: preset.config, source: drawnWeights(seed) };
  if (preset === undefined && statSync(name, { throwIfNoEntry: false }) !== undefined)
    return openCheckpoint(name);
  const executable = listPresets().flatMap((candidate) => (candidate.isExecutable ? [candidate.name] : []));
  const allowed = `a checkpoint's folder, or a preset: ${executable.join(", ")}`;
  const found =
    preset === undefined ? `no folder ${name} and no preset of that name` : `preset ${name}, for timing only`;
  throw inputError(`checkpoint: found ${found}; allowed: ${allowed}`, { path: "checkpoint", found, allowed });
}
