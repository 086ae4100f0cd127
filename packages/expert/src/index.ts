export { combine, EXPERT_PIECE_ROWS, runExperts } from "./combine-rows.ts";
export { type ArrivedRows, packDispatch, type PayloadSpace } from "./dispatch-rows.ts";
export { packContents, unpackContents } from "./content-codec.ts";
export {
  type Arrived,
  type Beside,
  type ExchangeMath,
  type FollowedBy,
  type Kernel,
  type Message,
  PARTS,
  type Receiving,
  type Relay,
  type Sending,
} from "./exchange-terms.ts";
export { expertsCost, gateCost, mlpCost, permutationCost } from "./expert-cost.ts";
export {
  checkSteps,
  checkTokenLimit,
  type DispatchPattern,
  type ExchangeLoad,
  type ExchangeShape,
  type ExchangeSteps,
} from "./pattern.ts";
export { checkPattern } from "./pattern-file.ts";
export { createDirect } from "./patterns/direct.ts";
export { LOW_LATENCY_TOKEN_LIMIT, lowLatency } from "./patterns/low-latency.ts";
export { createNormal } from "./patterns/normal.ts";
export { normalCombineBytes, normalDispatchBytes } from "./patterns/normal-slices.ts";
export { RankExchange, type RankExchangeOptions } from "./rank-exchange.ts";
export { OutputBlock, RowBlock } from "./row-block.ts";
export { ROW_HEADER_BYTES, rowMessageBytes, rowReturnBytes } from "./row-message.ts";
export { combineTokens, packTokens, runExpertsOnTokens, sumTokens } from "./token-rows.ts";
export {
  choiceCount,
  joinTokens,
  type RankGroups,
  sliceTokens,
  splitByGroup,
  type TokenPayload,
  type TokenSet,
} from "./token-set.ts";
export { Unit } from "./unit.ts";
