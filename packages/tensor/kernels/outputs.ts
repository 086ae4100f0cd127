// Where the sums of a tile go: as they are, or gated, that is, silu of what stands there times the sum. A tile of gates
// stores its sums plainly, the tile of ups over the same outputs then gates them; gates never lie anywhere else.

import { siluOf } from "./exponential";
import { loadTail, storeTail } from "./lanes";

/** Twenty outputs of a row. */
// @ts-ignore: decorator
@inline
export function storeWide(out: usize, sum0: v128, sum1: v128, sum2: v128, sum3: v128, sum4: v128, isGated: bool): void {
  if (isGated) {
    gate(out, sum0);
    gate(out + 16, sum1);
    gate(out + 32, sum2);
    gate(out + 48, sum3);
    gate(out + 64, sum4);
  } else {
    v128.store(out, sum0);
    v128.store(out, sum1, 16);
    v128.store(out, sum2, 32);
    v128.store(out, sum3, 48);
    v128.store(out, sum4, 64);
  }
}

/** Eight outputs of a row, of which only the first `columns` (1 to 8) exist. */
// @ts-ignore: decorator
@inline
export function storeColumns(out: usize, low: v128, high: v128, columns: i32, isGated: bool): void {
  storeUpToFour(out, low, min(columns, 4), isGated);
  if (columns > 4) storeUpToFour(out + 16, high, columns - 4, isGated);
}

function storeUpToFour(out: usize, sums: v128, count: i32, isGated: bool): void {
  if (count == 4) {
    if (isGated) gate(out, sums);
    else v128.store(out, sums);
  } else {
    storeTail(out, isGated ? f32x4.mul(siluOf(loadTail(out, count)), sums) : sums, count);
  }
}

function gate(out: usize, ups: v128): void {
  v128.store(out, f32x4.mul(siluOf(v128.load(out)), ups));
}
