export { type AttentionLoad, cacheBytesPerPosition, coreCost, projectionCost } from "./attention-cost.ts";
export { type RequestRows, ResidentRequests } from "./resident-requests.ts";
