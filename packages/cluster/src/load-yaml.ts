// The YAML parser, loaded when a file is read. Most hosts read none, and each thread would load its seventy modules anew.

import { createRequire } from "node:module";

const loadNow = createRequire(import.meta.url);

export function loadYaml(): typeof import("yaml") {
  return loadNow("yaml") as typeof import("yaml");
}
