// Fields of a scenario that name files: relative paths become absolute against the scenario's folder, and what
// they name must be there. What is in the files is the business of whoever reads them.

import { statSync } from "node:fs";
import path from "node:path";
import type { Problem } from "./problems.ts";
import type { Scenario } from "./scenario.ts";

/** Whether a field names a file (`./my-gpu.yaml`) and not something built in (`h800`). */
export function isFileReference(value: string): boolean {
  return /[\\/]/.test(value) || /\.(?:json|ya?ml)$/i.test(value);
}

/** Whether a dispatch pattern or a schedule is a file and not a built-in one. */
export function isModuleFile(value: string): boolean {
  return /[\\/]/.test(value) || /\.[cm]?[jt]s$/i.test(value);
}

/** The scenario with absolute paths. */
export function resolveFileReferences(scenario: Scenario, folder: string): Scenario {
  const absolute = (file: string): string => path.resolve(folder, file);
  const absoluteIfFile = (value: string): string => (isFileReference(value) ? absolute(value) : value);
  const { model, timing, workload, routing, run } = scenario;
  const absoluteIfModule = (value: string): string => (isModuleFile(value) ? absolute(value) : value);
  const withFiles = <Style extends { readonly dispatch: string; readonly schedule: string }>(
    style: Style,
  ) => ({
    ...style,
    schedule: absoluteIfModule(style.schedule),
    dispatch: absoluteIfModule(style.dispatch),
  });
  return {
    ...scenario,
    model: "checkpoint" in model ? { checkpoint: absolute(model.checkpoint) } : model,
    ...(routing !== undefined && "file" in routing ? { routing: { file: absolute(routing.file) } } : {}),
    timing: { ...timing, model: absoluteIfFile(timing.model), gpu: absoluteIfFile(timing.gpu) },
    run: { ...run, prefill: withFiles(run.prefill), decode: withFiles(run.decode) },
    workload: "prompts" in workload ? { ...workload, prompts: absolute(workload.prompts) } : workload,
  };
}

/** Files and folders that a resolved scenario names and that are not there. */
export function missingFiles(scenario: Scenario): Problem[] {
  const { model, timing, workload, run } = scenario;
  const problems: Problem[] = [];
  const expectKind = (fieldPath: readonly string[], file: string, kind: "file" | "folder"): void => {
    const actual = kindOf(file);
    if (actual === kind) return;
    const found = actual === undefined ? `${file}, which is not there` : `${file}, which is a ${actual}`;
    const allowed = kind === "folder" ? "a folder with config.json and *.safetensors" : "a file";
    problems.push({ path: fieldPath, message: `found ${found}; allowed: ${allowed}`, found, allowed });
  };
  if ("checkpoint" in model) expectKind(["model", "checkpoint"], model.checkpoint, "folder");
  if (isFileReference(timing.model)) expectKind(["timing", "model"], timing.model, "file");
  if (isFileReference(timing.gpu)) expectKind(["timing", "gpu"], timing.gpu, "file");
  for (const kind of ["prefill", "decode"] as const) {
    for (const field of ["schedule", "dispatch"] as const) {
      const file = run[kind][field];
      if (isModuleFile(file)) expectKind(["run", kind, field], file, "file");
    }
  }
  if ("prompts" in workload) expectKind(["workload", "prompts"], workload.prompts, "file");
  return problems;
}

function kindOf(file: string): "file" | "folder" | undefined {
  const status = statSync(file, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  return status.isDirectory() ? "folder" : "file";
}
