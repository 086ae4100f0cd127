export { countsForRank, type DispatchLayout, layoutDispatch } from "./dispatch-layout.ts";
export { type ExpertPlacement, ownerOf, placeExperts } from "./expert-placement.ts";
