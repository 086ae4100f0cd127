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

/** A file or a folder that a scenario names. */
export interface FileReference {
  readonly path: readonly string[];
  readonly file: string;
  /** What it must be: a module is a file of code. */
  readonly kind: "file" | "module" | "folder";
}

/** Everything that a resolved scenario names, in the order of its fields. */
export function fileReferences(scenario: Scenario): FileReference[] {
  const { model, timing, workload, routing, run } = scenario;
  const references: FileReference[] = [];
  if ("checkpoint" in model)
    references.push({ path: ["model", "checkpoint"], file: model.checkpoint, kind: "folder" });
  if (routing !== undefined && "file" in routing)
    references.push({ path: ["routing", "file"], file: routing.file, kind: "file" });
  for (const field of ["model", "gpu"] as const) {
    const file = timing[field];
    if (isFileReference(file)) references.push({ path: ["timing", field], file, kind: "file" });
  }
  for (const kind of ["prefill", "decode"] as const) {
    for (const field of ["schedule", "dispatch"] as const) {
      const file = run[kind][field];
      if (isModuleFile(file)) references.push({ path: ["run", kind, field], file, kind: "module" });
    }
  }
  if ("prompts" in workload)
    references.push({ path: ["workload", "prompts"], file: workload.prompts, kind: "file" });
  return references;
}

/** Files and folders that a resolved scenario names and that are not there. */
export function missingFiles(scenario: Scenario): Problem[] {
  return fileReferences(scenario).flatMap(({ path: fieldPath, file, kind }) => {
    const actual = kindOf(file);
    const needed = kind === "folder" ? "folder" : "file";
    if (actual === needed) return [];
    const found = actual === undefined ? `${file}, which is not there` : `${file}, which is a ${actual}`;
    const allowed = needed === "folder" ? "a folder with config.json and *.safetensors" : "a file";
    return [{ path: fieldPath, message: `found ${found}; allowed: ${allowed}`, found, allowed }];
  });
}

function kindOf(file: string): "file" | "folder" | undefined {
  const status = statSync(file, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  return status.isDirectory() ? "folder" : "file";
}
