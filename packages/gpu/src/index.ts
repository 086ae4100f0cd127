export {
  absorbedAttention,
  type AttendedRequests,
  expandedAttention,
  type HeadShape,
} from "./attention-costs.ts";
export { type CalibrationRow } from "./calibration/calibration-step.ts";
export { kernelCalibrationRows } from "./calibration/kernel-step.ts";
export {
  CostModel,
  type CostSequence,
  type KernelShape,
  type OperationCost,
  type RowSpread,
} from "./cost-model.ts";
export {
  type ExchangeKernel,
  exchangeKernel,
  type ExchangeRates,
  HOPPER_EXCHANGE,
} from "./exchange-costs.ts";
export {
  BrokenPromise,
  type Completion,
  CONTROL_EVENTS,
  type FirstTargets,
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
  copyKernel,
  elementwise,
  indexKernels,
  matrixProduct,
  memoryKernel,
  quantization,
  QUANTIZED_BYTES,
  rowKernel,
  WEIGHT_BYTES,
  type WeightPrecision,
} from "./kernel-costs.ts";
export { HOPPER_KERNELS, type KernelRates } from "./kernel-rates.ts";
export { encodeExchangeHead } from "./mailbox.ts";
export {
  createNvlinkDomain,
  createSharedNvlinkDomain,
  NVLINK_END_LATENCY,
  NVLINK_LINK_LATENCY,
} from "./nvlink-domain.ts";
export { type Dependency, type Scheduled, Streams } from "./streams.ts";
