export { countsForRank, type DispatchLayout, layoutDispatch, layoutKeptChoices } from "./dispatch-layout.ts";
export { drawChoices, type RoutingDraw, type RoutingShape, zipfPopularity } from "./draw-routing.ts";
export { balanceExperts, type EplbOptions, type EplbPlacement } from "./eplb.ts";
export {
  divisionProblem,
  type ExpertPlacement,
  expertsOfRank,
  ownerOf,
  placeExperts,
  type PlacementOptions,
  type Redundancy,
  type ReplicaMap,
  replicasOf,
} from "./expert-placement.ts";
export { type ChoiceSource, physicalChoices } from "./physical-choices.ts";
