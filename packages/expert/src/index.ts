export { combine, EXPERT_PIECE_ROWS, runExperts } from "./combine-rows.ts";
export { type ArrivedRows, packDispatch, type PayloadSpace } from "./dispatch-rows.ts";
export { expertsCost, gateCost, mlpCost } from "./expert-cost.ts";
export {
  checkTokenLimit,
  type DispatchPattern,
  type ExchangeLoad,
  type ExchangeShape,
  ROW_HEADER_BYTES,
} from "./pattern.ts";
export { direct } from "./patterns/direct.ts";
export { LOW_LATENCY_TOKEN_LIMIT, lowLatency } from "./patterns/low-latency.ts";
