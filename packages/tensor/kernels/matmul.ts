// Products with packed weights: out[rows, n] = x[rows, k] · W, alone or grouped by expert, plain or as a gated pair. Panels
// (src/packed-matrix.ts) are walked one after the other, and all rows of an expert pass over a panel while it lies in
// the first-level cache. An expert without rows costs the reading of two offsets.

import { dequantizeE4M3 } from "./e4m3";
import { tile1x20, tile1x8, tile2x8, tile4x8 } from "./matmul-narrow-tiles";
import { tile2x20, touchedBytes } from "./matmul-wide-tile";

const WIDE_PANEL = 20;
const NARROW_PANEL = 8;
const E4M3_TILE = 128;

export function matmul(out: usize, x: usize, weights: usize, rows: i32, k: i32, n: i32): void {
  const wideEnd = n - (n % WIDE_PANEL);
  let column = 0;
  for (; column < wideEnd; column += WIDE_PANEL) {
    const next = column + WIDE_PANEL < wideEnd ? panelBehind(weights, k) : weights;
    widePanel(out + (<usize>column << 2), x, weights, rows, k, n, false, next);
    weights = panelBehind(weights, k);
  }
  for (; column < n; column += NARROW_PANEL) {
    weights = narrowPanel(out + (<usize>column << 2), x, weights, rows, k, n, n - column, false);
  }
}

/** out = silu(x · gates) ⊙ (x · ups), panel by panel, so that a gate is still in the cache when its up comes. */
function swiglu(out: usize, x: usize, gates: usize, ups: usize, rows: i32, k: i32, n: i32): void {
  const wideEnd = n - (n % WIDE_PANEL);
  let column = 0;
  for (; column < wideEnd; column += WIDE_PANEL) {
    widePanel(out + (<usize>column << 2), x, gates, rows, k, n, false, ups);
    gates = panelBehind(gates, k);
    const next = column + WIDE_PANEL < wideEnd ? gates : ups;
    widePanel(out + (<usize>column << 2), x, ups, rows, k, n, true, next);
    ups = panelBehind(ups, k);
  }
  for (; column < n; column += NARROW_PANEL) {
    gates = narrowPanel(out + (<usize>column << 2), x, gates, rows, k, n, n - column, false);
    ups = narrowPanel(out + (<usize>column << 2), x, ups, rows, k, n, n - column, true);
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
 * All rows over one panel of twenty columns. Meanwhile they touch `next`, the panel whose turn comes then, from front to
 * back as far as twenty rows get. Measured on weights that lie beyond the second level of the cache, as experts' do: 6 to
 * 10 % faster from 16 rows up.
 */
function widePanel(
  out: usize,
  x: usize,
  panel: usize,
  rows: i32,
  k: i32,
  n: i32,
  isGated: bool,
  next: usize,
): void {
  const outStride = <usize>n << 2;
  const xStride = <usize>k << 2;
  const touched = touchedBytes(k);
  const nextEnd = panelBehind(next, k);
  let ahead = next;
  for (; rows >= 2; rows -= 2) {
    tile2x20(out, outStride, x, xStride, panel, k, isGated, ahead);
    ahead += touched;
    if (ahead + touched > nextEnd) ahead = panel;
    out += outStride << 1;
    x += xStride << 1;
  }
  if (rows > 0) tile1x20(out, x, panel, k, isGated);
}

/** All rows over a panel of eight columns, of which `columns` are left; returns where the next panel begins. */
function narrowPanel(
  out: usize,
  x: usize,
  panel: usize,
  rows: i32,
  k: i32,
  n: i32,
  columns: i32,
  isGated: bool,
): usize {
  columns = min(columns, NARROW_PANEL);
  const outStride = <usize>n << 2;
  const xStride = <usize>k << 2;
  for (; rows >= 4; rows -= 4) {
    tile4x8(out, outStride, x, xStride, panel, k, columns, isGated);
    out += outStride << 2;
    x += xStride << 2;
  }
  if (rows >= 2) {
    tile2x8(out, outStride, x, xStride, panel, k, columns, isGated);
    out += outStride << 1;
    x += xStride << 1;
  }
  if ((rows & 1) != 0) tile1x8(out, x, panel, k, columns, isGated);
  return panel + <usize>k * (NARROW_PANEL * 4);
}
