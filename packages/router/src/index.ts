export { countsForRank, type DispatchLayout, layoutDispatch } from "./dispatch-layout.ts";
export { drawChoices, type RoutingDraw, type RoutingShape, zipfPopularity } from "./draw-routing.ts";
export { balanceExperts, type EplbOptions, type EplbPlacement } from "./eplb.ts";
export { type ExpertPlacement, ownerOf, placeExperts } from "./expert-placement.ts";
