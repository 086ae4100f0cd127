// The dispatch pattern of a step: a built-in one by its name, or a user's own from a file of TypeScript or JavaScript.

import { inputError } from "@windtunnel/base";
import {
  checkPattern,
  createDirect,
  createNormal,
  type DispatchPattern,
  lowLatency,
} from "@windtunnel/expert";
import { loadOwnFile } from "./own-files.ts";
import { isModuleFile, nearestName } from "./scenario/index.ts";

export const PATTERN_NAMES = ["direct", "normal", "low-latency"] as const;

/** `sms`: what the kernels of `direct` and `normal` hold; `path` names the field or option in errors. */
export function dispatchPattern(name: string, sms: number, path: string): DispatchPattern {
  if (isModuleFile(name)) return loadPattern(name, path);
  switch (name) {
    case "direct":
      return createDirect({ sms });
    case "normal":
      return createNormal({ sms });
    case "low-latency":
      return lowLatency;
    default: {
      const nearest = nearestName(name, PATTERN_NAMES);
      const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
      throw inputError(`no dispatch pattern is called ${name}.${hint}`, {
        path,
        found: name,
        allowed: `${PATTERN_NAMES.join(", ")}, or the path of a pattern's file (./mine.ts)`,
      });
    }
  }
}

/** Every host loads the file by itself, so that a pattern needs to be nothing but a file. */
function loadPattern(file: string, path: string): DispatchPattern {
  return checkPattern(loadOwnFile(file, "a dispatch pattern", path), file);
}
