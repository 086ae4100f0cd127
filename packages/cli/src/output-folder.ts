// Where a run is written: a folder that exists or can be made, and that can be written to. Tried out before a run,
// so that nobody waits for minutes to hear of a wrong path.

import { closeSync, openSync, rmSync } from "node:fs";
import path from "node:path";
import { inputError } from "@windtunnel/base";
import { makeFolder } from "@windtunnel/cluster";

const PROBE = ".windtunnel-probe";

/** Makes the folder and tries to write to it. Throws an input error. Returns its absolute path. */
export function prepareOutputFolder(folder: string): string {
  const absolute = path.resolve(folder);
  try {
    makeFolder(absolute);
    const probe = path.join(absolute, PROBE);
    closeSync(openSync(probe, "w"));
    rmSync(probe);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const found = REASONS[code] ?? message;
    throw inputError(`the output folder ${absolute} can't be written: ${found}`, {
      path: "--out",
      found,
      allowed: "a folder that can be made and written to",
    });
  }
  return absolute;
}

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: "it is a file",
  ENOENT: "the system allows no folder there",
  ENOTDIR: "a part of its path is a file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
};
