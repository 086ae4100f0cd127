// The GPU of a run: a built-in profile by its name, or a user's own from a file; with what the scenario overrides of
// all parts of a kind. Whatever follows from a profile sees nothing but the overridden one.

import { inputError } from "@windtunnel/base";
import { HARDWARE_PROFILES, type HardwareProfile, parseHardwareProfile } from "@windtunnel/gpu";
import { readDataFile } from "./read-data-file.ts";
import { isFileReference, nearestName, type ScenarioOverrides } from "./scenario/index.ts";

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

/** The profile with faster or slower NICs, NVLink and launches. Throws an input error for rates that nothing can have. */
export function overriddenProfile(profile: HardwareProfile, overrides: ScenarioOverrides): HardwareProfile {
  const { nic, nvlink, launch } = overrides;
  const { nics, nvlinkBytesPerSecond, launchUs } = profile;
  return {
    ...profile,
    nvlinkBytesPerSecond: overriddenRate(nvlinkBytesPerSecond, nvlink?.bandwidth, "nvlink"),
    nics: nics && { ...nics, bytesPerSecond: overriddenRate(nics.bytesPerSecond, nic?.bandwidth, "nic") },
    launchUs: launchUs * (launch?.time ?? 1),
  };
}

export function overriddenRate(
  bytesPerSecond: number,
  factor: number = 1,
  kind: "nic" | "nvlink" | "pcie",
): number {
  const rate = bytesPerSecond * factor;
  if (rate > 0 && Number.isFinite(rate)) return rate;
  throw inputError(`overrides.${kind}.bandwidth: found ${factor}, which makes ${rate} bytes/s`, {
    path: `overrides.${kind}.bandwidth`,
    found: factor,
    allowed: "a factor with a bandwidth above zero and not infinite",
  });
}
