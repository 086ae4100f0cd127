// Records the published cases anew: `npm run traces`, after a change that moves their times. A run's recording is the same
// bytes everywhere, so a test holds these files against runs of today.

import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadScenario, runScenario } from "@windtunnel/cluster";

/** Names of the cases: each is a scenario, NAME.yaml, and its recording, NAME.bin. */
export function caseNames(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => path.basename(file, ".yaml"))
    .toSorted();
}

/** Runs a case into a folder of its own; gives its recording's path there. */
export async function recordCase(name: string, folder: string): Promise<string> {
  const scenario = loadScenario(path.join(import.meta.dirname, `${name}.yaml`), []);
  const outputFolder = path.join(folder, name);
  await runScenario(scenario, { outputFolder, exports: false });
  return path.join(outputFolder, "recording.bin");
}

if (import.meta.main) {
  const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-traces-"));
  try {
    for (const name of caseNames()) {
      copyFileSync(await recordCase(name, folder), path.join(import.meta.dirname, `${name}.bin`));
      console.log(`traces/${name}.bin`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
