// The GPU of a run: a built-in profile by its name, or a user's own from a file.

import { inputError } from "@windtunnel/base";
import { HARDWARE_PROFILES, type HardwareProfile, parseHardwareProfile } from "@windtunnel/gpu";
import { readDataFile } from "./read-data-file.ts";
import { isFileReference, nearestName } from "./scenario/index.ts";

export function hardwareProfile(gpu: string): HardwareProfile {
  if (isFileReference(gpu)) return parseHardwareProfile(readDataFile(gpu), gpu);
  const profile = HARDWARE_PROFILES.get(gpu);
  if (profile !== undefined) return profile;
  const names = [...HARDWARE_PROFILES.keys()];
  const nearest = nearestName(gpu, names);
  const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
  throw inputError(`no hardware profile is called ${gpu}.${hint}`, {
    path: "timing.gpu",
    found: gpu,
    allowed: `${names.join(", ")}, or the path of a profile file`,
  });
}
