// What a fabric process does with parcels: entry, link after link, exit. src/fabric-process.ts says what is asked; its plain
// twin is src/test-support/plain-fabric.ts. Functions trust their arguments.

import { append, earliest, insert, pop, rowOf } from "./queue";
import { Draft, Exit, Fabric, Handed, History, historyOf, Link, LINK_LIMIT, Pool, Row, Seen } from "./records";
import { moveParcel, releaseSlot, takeSlot } from "./slots";

export { collect, file } from "./arrivals";
export { releaseSlot, takeSlot } from "./slots";

const END_OF_PATH: i32 = -1;
const NO_SLOT: i32 = -1;
const END_OF_TIME: f64 = 9007199254740992; // 2^53
/** Chains of handovers: what comes over a link of another fabric comes in order. */
const HANDOVER_LANES: i32 = 64;
/** The order of events of one instant: hops by their number from here on, then handovers by source and sequence. */
const FIRST_HOP: f64 = -4503599627370496; // -2^52
const SEQUENCE_LIMIT: f64 = 274877906944; // 2^38
const HANDOVER_KEY: i32 = 11 << 21;
const HOP_RECORD: i32 = 3;
const HOP_RECORD_BYTES: usize = 44;
const WORD: f64 = 4294967296; // 2^32
/** `HANDINGS` of src/exits.ts. */
const DELIVERY: i32 = 0;
const HEAD: i32 = 2;

/** Twice the place of a path's first link, plus 1 if it counts in the traffic, plus 1. */
declare function path(fabric: usize, entryPort: i32, exitPort: i32, slot: i32): i32;
declare function exitOf(fabric: usize, target: i32, exitPort: i32): usize;
declare function turn(fabric: usize, slot: i32): void;
/** Ends the run: its time is over. */
declare function exhausted(fabric: usize): void;
/** Ends the run: a parcel takes less time to a process than the class graph states. */
declare function early(fabric: usize, process: i32, time: f64, least: f64): void;
/** Ends the run: a parcel comes to a fabric at an instant that it has passed. */
declare function late(fabric: usize, time: f64): void;

/**
 * Parcels of a shipment that enter now, from `place` on in their letter; -1 where it has one body for all. Afterwards each draft says when its parcel's tail
 * leaves its first link.
 */
export function ship(
  address: usize,
  drafts: usize,
  count: i32,
  exchange: f64,
  letter: i32,
  place: i32,
  now: f64,
  sentAt: f64,
): void {
  const fabric = changetype<Fabric>(address);
  const pool = changetype<Pool>(fabric.pool);
  fabric.now = now;
  for (let index = 0; index < count; index++) {
    const draft = changetype<Draft>(drafts + <usize>index * offsetof<Draft>());
    const slot = takeSlot(pool, fabric.stream);
    const row = rowOf(slot);
    row.target = draft.target;
    row.exitPort = draft.exitPort;
    row.nextLink = draft.entryPort;
    row.letter = letter;
    row.place = place < 0 ? place : place + index;
    row.exchange = exchange;
    row.bytes = draft.bytes;
    row.tailAt = now;
    if (fabric.keepsHistory) begin(historyOf(slot), sentAt);
    enter(fabric, slot, row, true);
    draft.tailAt = row.tailAt;
  }
}

function begin(history: History, sentAt: f64): void {
  history.sentAt = sentAt;
  history.queued = 0;
  history.portQueued = 0;
  history.transfer = 0;
  history.slowest = 0;
  history.limiting = 0;
  history.limitingQueue = 0;
  history.relayedAt = -1;
}

/** A parcel that another fabric hands over. */
export function take(address: usize, slot: i32, lane: i32): void {
  insert(changetype<Fabric>(address), lane, slot);
}

/** Handles events before `end`, so many at most; gives how many there were. */
export function run(address: usize, end: f64, most: i32): i32 {
  const fabric = changetype<Fabric>(address);
  if (end > fabric.passed) fabric.passed = end;
  let count = 0;
  for (; count < most && fabric.heads > 0; count++) {
    const time = earliest(fabric);
    if (!(time < end)) break;
    fabric.now = time;
    const slot = pop(fabric);
    const row = rowOf(slot);
    if (row.order < 0) {
      note(fabric, fabric.hopKey, row.order - FIRST_HOP, 0);
      if (fabric.reroutes && isAtSecondLink(fabric, row)) turn(address, slot);
      enterLink(fabric, slot, row, false);
    } else {
      const source = Math.floor(row.order / SEQUENCE_LIMIT);
      note(fabric, HANDOVER_KEY + <i32>source, row.order - source * SEQUENCE_LIMIT, row.bytes);
      enter(fabric, slot, row, false);
    }
  }
  fabric.events += <f64>count;
  return count;
}

/** Takes an event into the digest, as `EventDigest.add` does. */
// @ts-ignore: decorator
@inline
function note(fabric: Fabric, key: i32, sequence: f64, size: f64): void {
  const time = fabric.now;
  let low = (fabric.digestLow ^ <i32>(<i64>time)) * <i32>0xcc9e2d51;
  low = (rotl(low, 15) ^ <i32>(time / WORD)) * <i32>0x1b873593;
  let high = (fabric.digestHigh ^ key ^ low) * <i32>0x85ebca6b;
  high = (rotl(high, 13) ^ <i32>(<i64>sequence)) * <i32>0xc2b2ae35;
  fabric.digestLow = low ^ (high >>> 16) ^ <i32>(<i64>size);
  fabric.digestHigh = high ^ (low >>> 13) ^ <i32>(size / WORD);
  fabric.digestCount++;
  if (fabric.isSeen) {
    const seen = changetype<Seen>(fabric.seen + (<usize>(fabric.seenCount++) << 5));
    seen.time = time;
    seen.key = <f64>key;
    seen.sequence = sequence;
    seen.size = size;
  }
}

/** A parcel at its entry port. */
function enter(fabric: Fabric, slot: i32, row: Row, isPort: bool): void {
  const address = changetype<usize>(fabric);
  const entryPort = row.nextLink;
  const exitPort = row.exitPort;
  let known = 0;
  if (!fabric.hashesFlows && entryPort < fabric.entryLimit && exitPort < fabric.exitLimit) {
    const ofEntry = load<usize>(fabric.pathsByEntry + (<usize>entryPort << 2));
    if (ofEntry != 0) known = load<i32>(ofEntry + (<usize>exitPort << 2));
  }
  if (known == 0) known = path(address, entryPort, exitPort, slot);
  known--;
  if (known & 1) fabric.bytes += row.bytes;
  row.nextLink = known >> 1;
  enterLink(fabric, slot, row, isPort);
}

/** At the second link of its path a parcel may go another way. */
function isAtSecondLink(fabric: Fabric, row: Row): bool {
  const at = row.nextLink;
  return at == 1 || (at > 1 && load<i32>(fabric.paths + (<usize>(at - 2) << 2)) == END_OF_PATH);
}

/** The head of a parcel is at a link, now. `isPort`: the link is the port at which it was sent. */
function enterLink(fabric: Fabric, slot: i32, row: Row, isPort: bool): void {
  const next = row.nextLink;
  const way = fabric.paths + (<usize>next << 2);
  const index = load<i32>(way);
  const link = changetype<Link>(fabric.links + (<usize>index << 6));
  fabric.linkEvents++;
  const headAt = fabric.now;
  const bytes = row.bytes;
  const transfer = Math.ceil(bytes * link.picosecondsPerByte);
  const freeAt = link.freeAt;
  const start = headAt > freeAt ? headAt : freeAt;
  const waited = start - headAt;
  if (waited > link.longestWait) link.longestWait = waited;
  const sent = start + transfer;
  const end = sent > row.tailAt ? sent : row.tailAt;
  if (!(end + link.latency < END_OF_TIME)) exhausted(changetype<usize>(fabric));
  link.freeAt = end;
  link.bytes += bytes;
  if (fabric.keepsHistory) keep(fabric, historyOf(slot), index, isPort, waited, transfer);
  if (fabric.recordsHops) record(fabric, row, index, headAt, start, end);
  row.headAt = start + link.latency;
  row.tailAt = end + link.latency;
  if (load<i32>(way, 4) == END_OF_PATH) leave(fabric, slot, row, index);
  else {
    row.nextLink = next + 1;
    row.order = FIRST_HOP + fabric.hops;
    fabric.hops++;
    append(fabric, HANDOVER_LANES + index, slot);
  }
}

/** A parcel at the end of its last link: its row says when its head and its tail leave it. */
function leave(fabric: Fabric, slot: i32, row: Row, link: i32): void {
  const exit = exitAt(fabric, row.target, row.exitPort);
  const time = row.tailAt + exit.latency;
  if (!(time < END_OF_TIME)) exhausted(changetype<usize>(fabric));
  const sequence = fabric.left;
  fabric.left++;
  if (exit.handing == DELIVERY) {
    row.headAt = time;
    const handed = handOut(fabric, slot, exit, time, sequence);
    handed.isDelivery = 1;
    if (exit.settles && row.place < 0) {
      releaseSlot(changetype<Pool>(fabric.pool), slot);
      handed.slot = NO_SLOT;
    }
    return;
  }
  const headAt = exit.handing == HEAD ? row.headAt + exit.latency : time;
  row.nextLink = exit.entryPort;
  row.exitPort = exit.exitPort;
  row.tailAt = time;
  row.headAt = headAt;
  if (fabric.keepsHistory) {
    const history = historyOf(slot);
    if (history.relayedAt < 0) history.relayedAt = time;
  }
  const lane = (fabric.process + (link >> 1)) % HANDOVER_LANES;
  if (exit.fabric == 0) {
    const handed = handOut(fabric, slot, exit, headAt, sequence);
    handed.isDelivery = 0;
    handed.lane = lane;
    return;
  }
  const next = changetype<Fabric>(exit.fabric);
  if (!(headAt >= fabric.now + exit.least))
    early(changetype<usize>(fabric), exit.process, headAt - fabric.now, exit.least);
  if (headAt < next.passed) late(exit.fabric, headAt);
  row.order = <f64>fabric.process * SEQUENCE_LIMIT + sequence;
  // Parcels of a lane lie side by side, since they come out in about the order in which they came.
  const pool = changetype<Pool>(fabric.pool);
  const moved = takeSlot(pool, next.laneStreams + (<usize>lane << 2));
  moveParcel(slot, moved, <bool>fabric.keepsHistory);
  releaseSlot(pool, slot);
  insert(next, lane, moved);
}

/** Writes down that a parcel leaves. */
function handOut(fabric: Fabric, slot: i32, exit: Exit, time: f64, sequence: f64): Handed {
  const handed = changetype<Handed>(fabric.handed + <usize>(fabric.handedCount++) * offsetof<Handed>());
  handed.slot = slot;
  handed.target = exit.process;
  handed.sentAt = fabric.now;
  handed.time = time;
  handed.sequence = sequence;
  const row = rowOf(slot);
  handed.size = row.bytes;
  handed.exchange = row.exchange;
  handed.letter = row.letter;
  return handed;
}

// @ts-ignore: decorator
@inline
function exitAt(fabric: Fabric, target: i32, exitPort: i32): Exit {
  let exit: usize = 0;
  if (exitPort < fabric.exitPortLimit && target < fabric.targetLimit) {
    const ofPort = load<usize>(fabric.exitsByPort + (<usize>exitPort << 2));
    if (ofPort != 0) exit = load<usize>(ofPort + (<usize>target << 2));
  }
  if (exit == 0) exit = exitOf(changetype<usize>(fabric), target, exitPort);
  return changetype<Exit>(exit);
}

/** Keeps the slowest link, and the longest wait behind others: beyond the port at which the parcel was sent. */
function keep(fabric: Fabric, history: History, link: i32, isPort: bool, queued: f64, transfer: f64): void {
  const key = <f64>fabric.process * LINK_LIMIT + <f64>link;
  if (transfer > history.transfer) {
    history.transfer = transfer;
    history.slowest = key;
    if (history.limitingQueue == 0) history.limiting = key;
  }
  if (queued == 0) return;
  history.queued += queued;
  if (isPort) history.portQueued = queued;
  else if (queued > history.limitingQueue) {
    history.limitingQueue = queued;
    history.limiting = key;
  }
}

/** A hop as packages/trace/src/record-layout.ts encodes it, but for its source: in its place stands the letter. */
function record(fabric: Fabric, row: Row, link: i32, headAt: f64, start: f64, end: f64): void {
  const hop = fabric.hopRecords + <usize>(fabric.hopRecordCount++) * HOP_RECORD_BYTES;
  store<i32>(hop, HOP_RECORD);
  store<i32>(hop, row.letter, 4);
  store<i32>(hop, row.target, 8);
  store<i32>(hop, <i32>(<i64>row.exchange), 12);
  store<i32>(hop, link, 16);
  store<f64>(hop, headAt, 20);
  store<f64>(hop, start, 28);
  store<f64>(hop, end, 36);
}
