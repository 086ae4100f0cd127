// The scenario: reading it, checking it, its types. `loadScenario` is the way in.

export { checkHosts } from "./consistency.ts";
export { isFileReference, isModuleFile } from "./file-references.ts";
export { scenarioJsonSchema } from "./json-schema.ts";
export { loadScenario, resolveScenario, type ScenarioOrigin } from "./load-scenario.ts";
export { formatPlacement, hostCount, parsePlacement, type Placement } from "./placement.ts";
export { describeValue, nearestName } from "./problems.ts";
export { checkTokens, loadPrompts, parsePrompts, type Prompt } from "./prompts.ts";
export {
  type DispatchPattern,
  type DrawnRouting,
  type DrawnWorkload,
  type FabricRouting,
  gpuCount,
  type RunPhase,
  type Scenario,
  type ScenarioFabric,
  type ScenarioModel,
  type ScenarioOverrides,
  type ScenarioTiming,
  type ScenarioWorkload,
  type Schedule,
  type WirePrecision,
} from "./scenario.ts";
export { scenarioSchema } from "./schema.ts";
