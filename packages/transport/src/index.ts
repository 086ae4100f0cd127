export { createLoneExchange, type ExchangeTraffic, type ValueExchange } from "./exchange.ts";
export { bodyLength, decodeFrame, encodeFrame, type FrameEnds, HEADER_BYTES, senderOf } from "./frame.ts";
export { Ring, ringBytes } from "./ring.ts";
export {
  createSharedChannels,
  endExchange,
  ExchangeEnded,
  type SharedChannels,
  SharedMemoryExchange,
} from "./shared-memory-exchange.ts";
export { ZeromqExchange, type ZeromqTransport } from "./zeromq-exchange.ts";
