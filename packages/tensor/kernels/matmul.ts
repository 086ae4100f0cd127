// Products with packed weights: out[rows, n] = x[rows, k] · W, alone or grouped by expert, plain or as a gated pair. Panels
// (src/packed-matrix.ts) are walked one after the other, and all rows of an expert pass over a panel while it lies in
// the first-level cache. An expert without rows costs the reading of two offsets.

import { dequantizeE4M3 } from "./e4m3";
import { silu } from "./elementwise";
import { tile1x8, tile2x8, tile4x8 } from "./matmul-narrow-tiles";
import { tile1x20, tile1x40 } from "./matmul-one-row-tiles";
import { tile3x20 } from "./matmul-three-row-tile";
import { tile2x20, touchedBytes } from "./matmul-wide-tile";

const WIDE_PANEL = 20;
const NARROW_PANEL = 8;
const E4M3_TILE = 128;

export function matmul(out: usize, x: usize, weights: usize, rows: i32, k: i32, n: i32): void {
  product(out, x, weights, rows, k, n, false);
}

/** out = silu(x · gates) ⊙ (x · ups): the ups meet the gates where these are, so nothing else is ever stored. */
function swiglu(out: usize, x: usize, gates: usize, ups: usize, rows: i32, k: i32, n: i32): void {
  product(out, x, gates, rows, k, n, false);
  silu(out, rows * n);
  product(out, x, ups, rows, k, n, true);
}

/** The sums are stored, or multiply what stands in `out`. */
function product(out: usize, x: usize, weights: usize, rows: i32, k: i32, n: i32, isProduct: bool): void {
  const wideEnd = n - (n % WIDE_PANEL);
  let column = 0;
  if (rows == 1) {
    // One panel of one row has too few sums to hide the latency of an addition.
    for (; column + 2 * WIDE_PANEL <= wideEnd; column += 2 * WIDE_PANEL) {
      tile1x40(out, x, weights, k, isProduct);
      weights = panelBehind(panelBehind(weights, k), k);
      out += WIDE_PANEL * 8;
    }
  }
  for (; column < wideEnd; column += WIDE_PANEL) {
    weights = widePanel(out, x, weights, rows, k, n, isProduct);
    out += WIDE_PANEL * 4;
  }
  for (; column < n; column += NARROW_PANEL) {
    narrowPanel(out, x, weights, rows, k, n, min(NARROW_PANEL, n - column), isProduct);
    weights += <usize>k * (NARROW_PANEL * 4);
    out += NARROW_PANEL * 4;
  }
}

/** Rows offsets[e] … offsets[e + 1] through weights[e]; both lists are of 32-bit words. */
export function groupedMatmul(
  out: usize,
  x: usize,
  offsets: usize,
  weights: usize,
  experts: i32,
  k: i32,
  n: i32,
): void {
  for (let expert = 0; expert < experts; expert++) {
    const start = load<u32>(offsets);
    const rows = load<u32>(offsets, 4) - start;
    if (rows > 0) matmul(rowAt(out, start, n), rowAt(x, start, k), load<u32>(weights), rows, k, n);
    offsets += 4;
    weights += 4;
  }
}

/** The same for gated pairs: `weights` has the gates of an expert, then its ups. */
export function groupedSwiglu(
  out: usize,
  x: usize,
  offsets: usize,
  weights: usize,
  experts: i32,
  k: i32,
  n: i32,
): void {
  for (let expert = 0; expert < experts; expert++) {
    const start = load<u32>(offsets);
    const rows = load<u32>(offsets, 4) - start;
    if (rows > 0) {
      swiglu(rowAt(out, start, n), rowAt(x, start, k), load<u32>(weights), load<u32>(weights, 4), rows, k, n);
    }
    offsets += 4;
    weights += 8;
  }
}

/**
 * The same for rows in E4M3. Up to `blockRows` rows of an expert at a time are decoded to `block`, which stays in the
 * cache; decoding costs a few operations for each of the 2 · n products of a value.
 */
export function groupedSwigluE4M3(
  out: usize,
  codes: usize,
  scales: usize,
  offsets: usize,
  weights: usize,
  experts: i32,
  k: i32,
  n: i32,
  block: usize,
  blockRows: i32,
): void {
  const tiles = (k + (E4M3_TILE - 1)) / E4M3_TILE;
  for (let expert = 0; expert < experts; expert++) {
    const end = load<i32>(offsets, 4);
    for (let row = load<i32>(offsets); row < end; row += blockRows) {
      const rows = min(blockRows, end - row);
      dequantizeE4M3(block, codes + <usize>row * k, rowAt(scales, row, tiles), rows, k);
      swiglu(rowAt(out, row, n), block, load<u32>(weights), load<u32>(weights, 4), rows, k, n);
    }
    offsets += 4;
    weights += 8;
  }
}

// @ts-ignore: decorator
@inline
function rowAt(rows: usize, row: u32, size: i32): usize {
  return rows + ((<usize>row * size) << 2);
}

// @ts-ignore: decorator
@inline
function panelBehind(panel: usize, k: i32): usize {
  return panel + <usize>k * (WIDE_PANEL * 4);
}

/**
 * All rows over one panel of twenty columns: pairs, and three at the end of an odd number; returns what lies behind it.
 * Meanwhile pairs touch as much of that, from front to back as far as twenty rows get: the next panel, or the matrix whose
 * turn comes next. Measured on weights that lie beyond the second level of the cache, as experts' do: 5 to 13 % faster at
 * 16 and 32 rows.
 */
function widePanel(out: usize, x: usize, panel: usize, rows: i32, k: i32, n: i32, isProduct: bool): usize {
  const outStride = <usize>n << 2;
  const xStride = <usize>k << 2;
  const behind = panelBehind(panel, k);
  const touched = touchedBytes(k);
  // Weights may end where the memory ends.
  let room = min(behind - panel, (<usize>memory.size() << 16) - behind);
  let ahead = behind;
  for (; rows > 3 || rows == 2; rows -= 2) {
    if (room >= touched) room -= touched;
    else ahead = panel;
    tile2x20(out, outStride, x, xStride, panel, k, isProduct, ahead);
    ahead += touched;
    out += outStride << 1;
    x += xStride << 1;
  }
  if (rows == 3) tile3x20(out, outStride, x, xStride, panel, k, isProduct);
  else if (rows == 1) tile1x20(out, x, panel, k, isProduct);
  return behind;
}

/** All rows over a panel of eight columns, of which `columns` exist. */
function narrowPanel(
  out: usize,
  x: usize,
  panel: usize,
  rows: i32,
  k: i32,
  n: i32,
  columns: i32,
  isProduct: bool,
): void {
  const outStride = <usize>n << 2;
  const xStride = <usize>k << 2;
  for (; rows >= 4; rows -= 4) {
    tile4x8(out, outStride, x, xStride, panel, k, columns, isProduct);
    out += outStride << 2;
    x += xStride << 2;
  }
  if (rows >= 2) {
    tile2x8(out, outStride, x, xStride, panel, k, columns, isProduct);
    out += outStride << 1;
    x += xStride << 1;
  }
  if ((rows & 1) != 0) tile1x8(out, x, panel, k, columns, isProduct);
}
