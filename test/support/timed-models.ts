// Configurations of timed models with DeepSeek-V3's layers, but few of them, so that runs of tests are short.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { shortTimedModel } from "@windtunnel/cluster/bench";

/**
 * Writes one into a folder and gives what a scenario's `timing.model` says there; `experts` in eight groups of which four
 * are chosen from, eight experts for a token.
 */
export function writeTimedModel(
  folder: string,
  layers: number,
  experts: number = 64,
  { dense = 0, shared = 1 }: { readonly dense?: number; readonly shared?: number } = {},
): string {
  const config = shortTimedModel({ layers, dense, experts, shared, vocabulary: 1024 });
  writeFileSync(path.join(folder, "timed.json"), JSON.stringify(config));
  return "./timed.json";
}
