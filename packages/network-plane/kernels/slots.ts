// Slots of parcels, as src/slots.ts gives them.

import { Pool } from "./records";

const CHUNK: i32 = 8;
const CHUNK_BITS: i32 = 3;
const NONE: i32 = -1;
const LINE_BYTES: usize = 64;
const HISTORY_BYTES: usize = 512;

declare function moreChunks(): void;

/** The next slot of a stream. */
export function takeSlot(pool: Pool, stream: usize): i32 {
  let slot = load<i32>(stream);
  if (slot == NONE) {
    if (pool.spareCount == 0) moreChunks();
    pool.spareCount--;
    slot = load<i32>(pool.spare + (<usize>pool.spareCount << 2));
    store<u8>(pool.held + <usize>(slot >> CHUNK_BITS), CHUNK);
  }
  const next = slot + 1;
  store<i32>(stream, (next & (CHUNK - 1)) == 0 ? NONE : next);
  return slot;
}

export function releaseSlot(pool: Pool, slot: i32): void {
  const chunk = slot >> CHUNK_BITS;
  const held = load<u8>(pool.held + <usize>chunk) - 1;
  store<u8>(pool.held + <usize>chunk, held);
  if (held != 0) return;
  store<i32>(pool.spare + (<usize>pool.spareCount << 2), chunk << CHUNK_BITS);
  pool.spareCount++;
}

/** A parcel's row, and its history, to another slot. */
// @ts-ignore: decorator
@inline
export function moveParcel(from: i32, to: i32, withHistory: bool): void {
  moveLine(<usize>from * LINE_BYTES, <usize>to * LINE_BYTES);
  if (withHistory) moveLine(<usize>from * LINE_BYTES + HISTORY_BYTES, <usize>to * LINE_BYTES + HISTORY_BYTES);
}

// @ts-ignore: decorator
@inline
function moveLine(from: usize, to: usize): void {
  store<i64>(to, load<i64>(from));
  store<i64>(to, load<i64>(from, 8), 8);
  store<i64>(to, load<i64>(from, 16), 16);
  store<i64>(to, load<i64>(from, 24), 24);
  store<i64>(to, load<i64>(from, 32), 32);
  store<i64>(to, load<i64>(from, 40), 40);
  store<i64>(to, load<i64>(from, 48), 48);
  store<i64>(to, load<i64>(from, 56), 56);
}
