export { type Exit, FabricProcess, type FabricProcessOptions, type Handover } from "./fabric-process.ts";
export { checkFlowFile, type Flow, type FlowFabric, type FlowFile } from "./flow-file.ts";
export { fluidFinishTimes, type FluidFlow, type RatesObserver } from "./fluid.ts";
export { type LinkDescription, type LinkOverrides, LinkTable } from "./links.ts";
export { MaxMinRates } from "./max-min-rates.ts";
export { NETWORK_PROFILES, type NetworkProfile } from "./network-profile.ts";
export { type Delivery, FABRIC_EVENTS, type Parcel, type Shipment } from "./parcels.ts";
export {
  type ContentionModel,
  type FlowResult,
  type FlowSimulation,
  type LinkLoad,
  simulateFlows,
} from "./simulate-flows.ts";
export {
  createFatTreePlane,
  createSwitch,
  type FatTreePlaneOptions,
  type Routing,
  type Topology,
} from "./topology.ts";
