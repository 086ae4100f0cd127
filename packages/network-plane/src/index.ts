export type { Exit } from "./exits.ts";
export { FabricProcess, type FabricProcessOptions } from "./fabric-process.ts";
export { checkFlowFile, type Flow, type FlowFabric, type FlowFile } from "./flow-file.ts";
export { fluidFinishTimes, type FluidFlow, type RatesObserver } from "./fluid.ts";
export { type InputProblem, problemsError } from "./input-problems.ts";
export { type LinkDescription, type LinkOverrides, LinkTable } from "./links.ts";
export { MaxMinRates } from "./max-min-rates.ts";
export {
  type LinkLatencies,
  NETWORK_PROFILES,
  type NetworkProfile,
  NVLINK_LATENCIES,
} from "./network-profile.ts";
export {
  type ArrivedParcel,
  type BodyCodec,
  type ParcelDraft,
  ParcelTable,
  shipmentOf,
} from "./parcel-table.ts";
export { type Bodies, FABRIC_EVENTS, SharedBody, type Shipment } from "./parcels.ts";
export {
  createNodeWithPcie,
  type NodePorts,
  nodePorts,
  type PcieLatencies,
  pcieLatencies,
} from "./pcie-tree.ts";
export {
  type ComparedTopology,
  type DragonflyShape,
  dragonflyShape,
  type FabricCounts,
  LEAST_RADIX,
  MOST_RADIX,
  type SlimFlyShape,
  slimFlyShape,
  topologyComparison,
  topologyCountsOfDragonfly,
  topologyCountsOfFatTree2,
  topologyCountsOfFatTree3,
  topologyCountsOfMultiPlane,
  topologyCountsOfSlimFly,
} from "./published-topologies.ts";
export {
  type ContentionModel,
  type FlowResult,
  type FlowSimulation,
  type LinkLoad,
  simulateFlows,
} from "./simulate-flows.ts";
export {
  createFatTreePlane,
  createJoinedRails,
  createSinglePlane,
  createSwitch,
  type FatTreeOptions,
  type FatTreePlaneOptions,
  type JoinedFatTreeOptions,
  type Routing,
  type Topology,
} from "./topology.ts";
export {
  type SwitchCounts,
  type TopologyCounts,
  topologyCounts,
  type TopologyLatencies,
  topologyLatencies,
} from "./topology-counts.ts";
export {
  createPlaneTopology,
  DEFAULT_SWITCH_PORTS,
  defaultNodesPerLeaf,
  defaultSpines,
  FABRIC_KINDS,
  type FabricKind,
  joinedLeaves,
  leavesOfPlane,
  planeCountOf,
  type TopologyDescription,
} from "./topology-description.ts";
export { checkTopologyDescription, type TopologyFields, topologySchema } from "./topology-file.ts";
export { MOST_GPUS_OF_NVLINK_DOMAIN, problemsOfTopology } from "./topology-problems.ts";
