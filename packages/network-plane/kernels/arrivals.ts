// Records of parcels that have arrived, as packages/trace/src/record-layout.ts encodes messages: written while a parcel's row and
// history are at hand, and put in order when its target opens them.

import { rowOf } from "./queue";
import { historyOf, LINK_LIMIT } from "./records";

const HEAD_BYTES: usize = 36;
const RECORD_BYTES: usize = 108;

/** Of a parcel, at `to`; `head`: the beginning of its record, which is the same for all of its letter. */
export function file(slot: i32, head: usize, to: usize): void {
  const row = rowOf(slot);
  const history = historyOf(slot);
  const arrivedAt = row.headAt;
  memory.copy(to, head, HEAD_BYTES);
  store<f64>(to, history.sentAt, 36);
  store<f64>(to, arrivedAt, 44);
  store<f64>(to, row.bytes, 52);
  store<f64>(to, history.queued, 60);
  store<f64>(to, history.portQueued, 68);
  store<f64>(to, history.relayedAt < 0 ? 0 : arrivedAt - history.relayedAt, 76);
  store<f64>(to, history.transfer, 84);
  const slowest = Math.floor(history.slowest / LINK_LIMIT);
  store<i32>(to, <i32>slowest, 92);
  store<i32>(to, <i32>(history.slowest - slowest * LINK_LIMIT), 96);
  const limiting = Math.floor(history.limiting / LINK_LIMIT);
  store<i32>(to, <i32>limiting, 100);
  store<i32>(to, <i32>(history.limiting - limiting * LINK_LIMIT), 104);
}

/** Copies so many records, of which `order` gives the places from `from` on, side by side to `to`. */
export function collect(order: usize, count: i32, from: usize, to: usize): void {
  for (let index = 0; index < count; index++) {
    const place = load<i32>(order + (<usize>index << 2));
    memory.copy(to + <usize>index * RECORD_BYTES, from + <usize>place * RECORD_BYTES, RECORD_BYTES);
  }
}
