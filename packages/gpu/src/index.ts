export { CostModel, type CostSequence, type OperationCost } from "./cost-model.ts";
export {
  type Completion,
  CONTROL_EVENTS,
  Gpu,
  type GpuOptions,
  type Operation,
  type Received,
  type Receiving,
  type Route,
  type Sending,
} from "./gpu.ts";
export {
  HARDWARE_PROFILES,
  type HardwareProfile,
  hardwareProfileSchema,
  parseHardwareProfile,
} from "./hardware-profile.ts";
export {
  ACTIVATION_BYTES,
  elementwise,
  matrixProduct,
  memoryKernel,
  WEIGHT_BYTES,
  type WeightPrecision,
} from "./kernel-costs.ts";
export { createNvlinkDomain, NVLINK_END_LATENCY, NVLINK_LINK_LATENCY } from "./nvlink-domain.ts";
export { type Dependency, type Scheduled, Streams } from "./streams.ts";
