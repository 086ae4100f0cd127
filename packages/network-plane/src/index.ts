export { type Exit, FabricProcess, type FabricProcessOptions, type Handover } from "./fabric-process.ts";
export { type LinkDescription, type LinkOverrides, LinkTable } from "./links.ts";
export { NETWORK_PROFILES, type NetworkProfile } from "./network-profile.ts";
export { type Delivery, FABRIC_EVENTS, type Parcel, type Shipment } from "./parcels.ts";
export {
  createFatTreePlane,
  createSwitch,
  type FatTreePlaneOptions,
  type Routing,
  type Topology,
} from "./topology.ts";
