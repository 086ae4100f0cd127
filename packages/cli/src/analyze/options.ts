// The options of `windtunnel analyze`, and which of them go together: an option that would change nothing is refused.

import { inputError } from "@windtunnel/base";

export interface AnalyzeOptions {
  readonly step?: string;
  readonly ranks?: string;
  readonly layer?: string;
  readonly path?: true;
  readonly whatIf?: string | true;
  readonly communication?: readonly string[];
  readonly json?: true;
}

const OF_PICTURES = { step: "--step", ranks: "--ranks", layer: "--layer", path: "--path" } as const;

/** Throws an input error for options that say nothing of such a file, or beside the others. */
export function checkTogether(run: string, isProfilerTrace: boolean, options: AnalyzeOptions): void {
  if (isProfilerTrace) {
    const refused = namesOf({ whatIf: "--what-if", ...OF_PICTURES }, options);
    if (refused.length === 0) return;
    throw refusal(refused, {
      with: "a PyTorch-profiler trace",
      found: run,
      allowed: "--communication and --json",
    });
  }
  if (options.communication !== undefined) {
    throw inputError("--communication is for PyTorch-profiler traces; a recording knows its kernels", {
      path: "--communication",
      found: run,
      allowed: "a .json or .json.gz file",
    });
  }
  if (options.whatIf === undefined) return;
  const refused = namesOf(OF_PICTURES, options);
  if (refused.length > 0)
    throw refusal(refused, { with: "--what-if", found: refused[0]!, allowed: "--json" });
}

function namesOf(names: Partial<Record<keyof AnalyzeOptions, string>>, options: AnalyzeOptions): string[] {
  return Object.entries(names).flatMap(([key, name]) =>
    options[key as keyof AnalyzeOptions] === undefined ? [] : [name],
  );
}

function refusal(
  refused: readonly string[],
  {
    with: other,
    found,
    allowed,
  }: { readonly with: string; readonly found: string; readonly allowed: string },
): Error {
  const verb = refused.length === 1 ? "does" : "do";
  return inputError(`${refused.join(", ")} ${verb} not go with ${other}; allowed beside it: ${allowed}`, {
    path: refused[0]!,
    found,
    allowed,
  });
}
