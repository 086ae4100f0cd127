// Parcels of one fabric that wait for their next event: the hop to a further link, or the entry of what another fabric hands
// over. What leaves a link leaves it in order, so parcels form chains, one for each link, and a four-ary heap holds the first
// of each chain.

import { Chain, Fabric, HeapEntry, Row } from "./records";

const NONE: i32 = -1;

declare function moreLoose(fabric: usize): void;

// @ts-ignore: decorator
@inline
export function rowOf(slot: i32): Row {
  return changetype<Row>(<usize>slot << 6);
}

// @ts-ignore: decorator
@inline
function chainAt(fabric: Fabric, chain: i32): Chain {
  return changetype<Chain>(fabric.chains + (<usize>chain << 3));
}

// @ts-ignore: decorator
@inline
function entryAt(heap: usize, index: i32): HeapEntry {
  return changetype<HeapEntry>(heap + (<usize>index << 4));
}

/** The time of the first parcel's event; there must be one. */
// @ts-ignore: decorator
@inline
export function earliest(fabric: Fabric): f64 {
  return entryAt(fabric.heap, 0).time;
}

/** A parcel whose event comes after that of the last one of its chain. */
export function append(fabric: Fabric, index: i32, slot: i32): void {
  const row = rowOf(slot);
  row.next = NONE;
  const chain = chainAt(fabric, index);
  const last = chain.last;
  chain.last = slot;
  if (last != NONE) {
    rowOf(last).next = slot;
    return;
  }
  chain.first = slot;
  rise(fabric, index, row);
}

/** The same for a parcel whose event may come before that of others of its chain. */
export function insert(fabric: Fabric, index: i32, slot: i32): void {
  const last = chainAt(fabric, index).last;
  if (last != NONE && !isBefore(rowOf(last), rowOf(slot))) {
    if (fabric.looseCount == 0) moreLoose(changetype<usize>(fabric));
    fabric.looseCount--;
    append(fabric, load<i32>(fabric.loose + (<usize>fabric.looseCount << 2)), slot);
  } else append(fabric, index, slot);
}

/** Takes the first parcel of all out. */
export function pop(fabric: Fabric): i32 {
  const index = entryAt(fabric.heap, 0).chain;
  const chain = chainAt(fabric, index);
  const slot = chain.first;
  const following = rowOf(slot).next;
  chain.first = following;
  if (following != NONE) {
    sink(fabric, index, rowOf(following));
    return slot;
  }
  chain.last = NONE;
  if (index >= fabric.chainCount) store<i32>(fabric.loose + (<usize>(fabric.looseCount++) << 2), index);
  if (--fabric.heads > 0) {
    const moved = entryAt(fabric.heap, fabric.heads).chain;
    sink(fabric, moved, rowOf(chainAt(fabric, moved).first));
  }
  return slot;
}

// @ts-ignore: decorator
@inline
function isBefore(row: Row, other: Row): bool {
  return row.headAt < other.headAt || (row.headAt == other.headAt && row.order < other.order);
}

function rise(fabric: Fabric, index: i32, row: Row): void {
  const heap = fabric.heap;
  const time = row.headAt;
  let hole = fabric.heads++;
  while (hole > 0) {
    const parent = (hole - 1) >> 2;
    const entry = entryAt(heap, parent);
    if (entry.time < time) break;
    if (entry.time == time && firstOf(fabric, entry).order < row.order) break;
    set(heap, hole, entry.time, entry.chain);
    hole = parent;
  }
  set(heap, hole, time, index);
}

// @ts-ignore: decorator
@inline
function sink(fabric: Fabric, index: i32, row: Row): void {
  const heap = fabric.heap;
  const heads = fabric.heads;
  const time = row.headAt;
  let hole = 0;
  for (;;) {
    let child = (hole << 2) + 1;
    if (child >= heads) break;
    const end = min(child + 4, heads);
    let best = child;
    let bestTime = entryAt(heap, child).time;
    for (child++; child < end; child++) {
      const childTime = entryAt(heap, child).time;
      if (childTime > bestTime) continue;
      if (childTime == bestTime) {
        const mine = firstOf(fabric, entryAt(heap, child));
        const other = firstOf(fabric, entryAt(heap, best));
        if (mine.order > other.order) continue;
      }
      best = child;
      bestTime = childTime;
    }
    if (time < bestTime) break;
    const entry = entryAt(heap, best);
    if (time == bestTime && row.order < firstOf(fabric, entry).order) break;
    set(heap, hole, bestTime, entry.chain);
    hole = best;
  }
  set(heap, hole, time, index);
}

// @ts-ignore: decorator
@inline
function firstOf(fabric: Fabric, entry: HeapEntry): Row {
  return rowOf(chainAt(fabric, entry.chain).first);
}

// @ts-ignore: decorator
@inline
function set(heap: usize, index: i32, time: f64, chain: i32): void {
  const entry = entryAt(heap, index);
  entry.time = time;
  entry.chain = chain;
}
