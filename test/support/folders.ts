// Folders of tests: the fixtures, and private ones under the system's folder for temporary files, removed at the end.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export function fixture(name: "tiny-v2" | "tiny-v3"): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/** The file of an example of docs/patterns.md. */
export function exampleFile(name: "one-copy-per-rank" | "two-hops" | "dual-batch-vllm"): string {
  return fileURLToPath(new URL(`../../docs/examples/${name}.ts`, import.meta.url));
}

/** A new folder that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "test-of-windtunnel-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
