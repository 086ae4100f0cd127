// What stands in the memory that fabrics of a host share. src/parcel-table.ts, src/exits.ts and src/fabric-kernel.ts give the
// same places by number.

/** A parcel on its way: one cache line. Instants are in picoseconds. */
@unmanaged
export class Row {
  target: i32;
  exitPort: i32;
  /** Where its next link stands in its fabric's list of paths; between two fabrics, the port where it enters the next one. */
  nextLink: i32;
  /** The slot of the parcel that comes next in its chain. */
  next: i32;
  /** What it carries, and which of the letter's bodies, -1 where one is for all; see src/letters.ts. */
  letter: i32;
  place: i32;
  exchange: f64;
  bytes: f64;
  tailAt: f64;
  /** When its head reaches its next link, or the next fabric; at the end of its way, when it arrives. */
  headAt: f64;
  /** Its place among those of one instant. */
  order: f64;
}

/** A parcel before it enters; afterwards, when its tail leaves its first link. */
@unmanaged
export class Draft {
  target: i32;
  entryPort: i32;
  exitPort: i32;
  unused: i32;
  bytes: f64;
  tailAt: f64;
}

const HISTORY_BYTES: usize = 512;
/** A link of a fabric process is one number: process times this and link. */
export const LINK_LIMIT: f64 = 2097152; // 2^21

/** What happened to a parcel: `HISTORY_BYTES` behind its row, where it is kept. */
@unmanaged
export class History {
  sentAt: f64;
  queued: f64;
  portQueued: f64;
  transfer: f64;
  slowest: f64;
  limiting: f64;
  limitingQueue: f64;
  relayedAt: f64;
}

// @ts-ignore: decorator
@inline
export function historyOf(slot: i32): History {
  return changetype<History>((<usize>slot << 6) + HISTORY_BYTES);
}

@unmanaged
export class Link {
  latency: f64;
  picosecondsPerByte: f64;
  freeAt: f64;
  bytes: f64;
  longestWait: f64;
}

/** Slots in chunks; see src/slots.ts. */
@unmanaged
export class Pool {
  /** First slots of free chunks: a stack. */
  spare: usize;
  spareCount: i32;
  /** By chunk: a byte for its slots that are taken, or still to be given to the chunk's stream. */
  held: usize;
}

/** Parcels that leave one link, in order. */
@unmanaged
export class Chain {
  first: i32;
  last: i32;
}

@unmanaged
export class HeapEntry {
  time: f64;
  chain: i32;
}

@unmanaged
export class Exit {
  process: i32;
  /** `HANDINGS` of src/exits.ts. */
  handing: i32;
  entryPort: i32;
  exitPort: i32;
  latency: f64;
  /** The least time from here to there, as the class graph states it; NaN where nothing is sent. */
  least: f64;
  /** Of the same host; 0 where there is none. */
  fabric: usize;
  /** Whether nothing is needed there of a parcel whose letter has one body for all. */
  settles: i32;
}

/** A parcel that leaves the fabric, to its rank or to a fabric of another host. */
@unmanaged
export class Handed {
  slot: i32;
  isDelivery: i32;
  target: i32;
  lane: i32;
  sentAt: f64;
  time: f64;
  sequence: f64;
  size: f64;
  exchange: f64;
  letter: i32;
  unused: i32;
}

/** An event, for logs. */
@unmanaged
export class Seen {
  time: f64;
  key: f64;
  sequence: f64;
  size: f64;
}

@unmanaged
export class Fabric {
  now: f64;
  /** Hops so far; events that were handled; parcels on links; bytes that entered. */
  hops: f64;
  events: f64;
  linkEvents: f64;
  bytes: f64;
  /** Parcels that left: each has a number. */
  left: f64;
  /** All events before are handled, or will be before any other. */
  passed: f64;
  digestLow: i32;
  digestHigh: i32;
  digestCount: i32;
  process: i32;
  /** The key of its hops. */
  hopKey: i32;
  /** Chains in the heap. */
  heads: i32;
  /** Chains that are given; further ones hold a parcel each that fits no chain. */
  chainCount: i32;
  looseCount: i32;
  heap: usize;
  chains: usize;
  loose: usize;
  links: usize;
  /** Links of all known paths, each path followed by -1. */
  paths: usize;
  /** By entry port: the path of each exit port, as `path` gives it; 0 where it is not known. */
  pathsByEntry: usize;
  entryLimit: i32;
  exitLimit: i32;
  /** By exit port: the exit of each target; 0 where it is not known. */
  exitsByPort: usize;
  exitPortLimit: i32;
  targetLimit: i32;
  hashesFlows: i32;
  reroutes: i32;
  keepsHistory: i32;
  /** What leaves, hops and events since the last call; no more than that many of each in one. */
  handed: usize;
  handedCount: i32;
  hopRecords: usize;
  hopRecordCount: i32;
  seen: usize;
  seenCount: i32;
  recordsHops: i32;
  isSeen: i32;
  pool: usize;
  /** The stream of slots for what the fabric is sent. */
  stream: usize;
  /** By lane of what comes from other fabrics: the stream of slots that it moves to. */
  laneStreams: usize;
}
