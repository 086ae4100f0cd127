// Makes a folder and those above it. Node's own `recursive` never returns where the system calls a folder missing
// whose parent is there, as /proc does for whatever one wants to make in it.

import { mkdirSync, statSync } from "node:fs";
import path from "node:path";

/** Throws the system's error where something on the way can't be made. */
export function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = path.dirname(folder);
  if (statSync(parent, { throwIfNoEntry: false }) === undefined) makeFolder(parent);
  mkdirSync(folder);
}
