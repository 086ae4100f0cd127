// Tiles for a row alone: one or two panels of twenty columns. Two have enough sums to hide the latency of an addition. Every
// output has one accumulator and adds k = 0, 1, 2 … in turn.

import { storeWide } from "./outputs";

/** One row, two panels of twenty columns. */
export function tile1x40(out: usize, x: usize, w: usize, k: i32, isProduct: bool): void {
  const zero = f32x4.splat(0);
  let sum0 = zero;
  let sum1 = zero;
  let sum2 = zero;
  let sum3 = zero;
  let sum4 = zero;
  let sum5 = zero;
  let sum6 = zero;
  let sum7 = zero;
  let sum8 = zero;
  let sum9 = zero;
  let behind = w + <usize>k * 80;
  const unrolledEnd = x + (<usize>(k & -4) << 2);
  const end = x + (<usize>k << 2);
  while (x < unrolledEnd) {
    let value = v128.load32_splat(x);
    sum0 = f32x4.add(sum0, f32x4.mul(value, v128.load(w)));
    sum1 = f32x4.add(sum1, f32x4.mul(value, v128.load(w, 16)));
    sum2 = f32x4.add(sum2, f32x4.mul(value, v128.load(w, 32)));
    sum3 = f32x4.add(sum3, f32x4.mul(value, v128.load(w, 48)));
    sum4 = f32x4.add(sum4, f32x4.mul(value, v128.load(w, 64)));
    sum5 = f32x4.add(sum5, f32x4.mul(value, v128.load(behind)));
    sum6 = f32x4.add(sum6, f32x4.mul(value, v128.load(behind, 16)));
    sum7 = f32x4.add(sum7, f32x4.mul(value, v128.load(behind, 32)));
    sum8 = f32x4.add(sum8, f32x4.mul(value, v128.load(behind, 48)));
    sum9 = f32x4.add(sum9, f32x4.mul(value, v128.load(behind, 64)));
    value = v128.load32_splat(x, 4);
    sum0 = f32x4.add(sum0, f32x4.mul(value, v128.load(w, 80)));
    sum1 = f32x4.add(sum1, f32x4.mul(value, v128.load(w, 96)));
    sum2 = f32x4.add(sum2, f32x4.mul(value, v128.load(w, 112)));
    sum3 = f32x4.add(sum3, f32x4.mul(value, v128.load(w, 128)));
    sum4 = f32x4.add(sum4, f32x4.mul(value, v128.load(w, 144)));
    sum5 = f32x4.add(sum5, f32x4.mul(value, v128.load(behind, 80)));
    sum6 = f32x4.add(sum6, f32x4.mul(value, v128.load(behind, 96)));
    sum7 = f32x4.add(sum7, f32x4.mul(value, v128.load(behind, 112)));
    sum8 = f32x4.add(sum8, f32x4.mul(value, v128.load(behind, 128)));
    sum9 = f32x4.add(sum9, f32x4.mul(value, v128.load(behind, 144)));
    value = v128.load32_splat(x, 8);
    sum0 = f32x4.add(sum0, f32x4.mul(value, v128.load(w, 160)));
    sum1 = f32x4.add(sum1, f32x4.mul(value, v128.load(w, 176)));
    sum2 = f32x4.add(sum2, f32x4.mul(value, v128.load(w, 192)));
    sum3 = f32x4.add(sum3, f32x4.mul(value, v128.load(w, 208)));
    sum4 = f32x4.add(sum4, f32x4.mul(value, v128.load(w, 224)));
    sum5 = f32x4.add(sum5, f32x4.mul(value, v128.load(behind, 160)));
    sum6 = f32x4.add(sum6, f32x4.mul(value, v128.load(behind, 176)));
    sum7 = f32x4.add(sum7, f32x4.mul(value, v128.load(behind, 192)));
    sum8 = f32x4.add(sum8, f32x4.mul(value, v128.load(behind, 208)));
    sum9 = f32x4.add(sum9, f32x4.mul(value, v128.load(behind, 224)));
    value = v128.load32_splat(x, 12);
    sum0 = f32x4.add(sum0, f32x4.mul(value, v128.load(w, 240)));
    sum1 = f32x4.add(sum1, f32x4.mul(value, v128.load(w, 256)));
    sum2 = f32x4.add(sum2, f32x4.mul(value, v128.load(w, 272)));
    sum3 = f32x4.add(sum3, f32x4.mul(value, v128.load(w, 288)));
    sum4 = f32x4.add(sum4, f32x4.mul(value, v128.load(w, 304)));
    sum5 = f32x4.add(sum5, f32x4.mul(value, v128.load(behind, 240)));
    sum6 = f32x4.add(sum6, f32x4.mul(value, v128.load(behind, 256)));
    sum7 = f32x4.add(sum7, f32x4.mul(value, v128.load(behind, 272)));
    sum8 = f32x4.add(sum8, f32x4.mul(value, v128.load(behind, 288)));
    sum9 = f32x4.add(sum9, f32x4.mul(value, v128.load(behind, 304)));
    x += 16;
    w += 320;
    behind += 320;
  }
  while (x < end) {
    let value = v128.load32_splat(x);
    sum0 = f32x4.add(sum0, f32x4.mul(value, v128.load(w)));
    sum1 = f32x4.add(sum1, f32x4.mul(value, v128.load(w, 16)));
    sum2 = f32x4.add(sum2, f32x4.mul(value, v128.load(w, 32)));
    sum3 = f32x4.add(sum3, f32x4.mul(value, v128.load(w, 48)));
    sum4 = f32x4.add(sum4, f32x4.mul(value, v128.load(w, 64)));
    sum5 = f32x4.add(sum5, f32x4.mul(value, v128.load(behind)));
    sum6 = f32x4.add(sum6, f32x4.mul(value, v128.load(behind, 16)));
    sum7 = f32x4.add(sum7, f32x4.mul(value, v128.load(behind, 32)));
    sum8 = f32x4.add(sum8, f32x4.mul(value, v128.load(behind, 48)));
    sum9 = f32x4.add(sum9, f32x4.mul(value, v128.load(behind, 64)));
    x += 4;
    w += 80;
    behind += 80;
  }
  storeWide(out, sum0, sum1, sum2, sum3, sum4, isProduct);
  storeWide(out + 80, sum5, sum6, sum7, sum8, sum9, isProduct);
}

/** One row, twenty columns. */
export function tile1x20(out: usize, x0: usize, w: usize, k: i32, isProduct: bool): void {
  const zero = f32x4.splat(0);
  let sum00 = zero;
  let sum01 = zero;
  let sum02 = zero;
  let sum03 = zero;
  let sum04 = zero;
  const unrolledEnd = x0 + (<usize>(k & -4) << 2);
  const end = x0 + (<usize>k << 2);
  while (x0 < unrolledEnd) {
    let value0 = v128.load32_splat(x0);
    let weights = v128.load(w);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 16);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 32);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 48);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 64);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 4);
    weights = v128.load(w, 80);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 96);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 112);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 128);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 144);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 8);
    weights = v128.load(w, 160);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 176);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 192);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 208);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 224);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    value0 = v128.load32_splat(x0, 12);
    weights = v128.load(w, 240);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 256);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 272);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 288);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 304);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    x0 += 16;
    w += 320;
  }
  while (x0 < end) {
    let value0 = v128.load32_splat(x0);
    let weights = v128.load(w);
    sum00 = f32x4.add(sum00, f32x4.mul(value0, weights));
    weights = v128.load(w, 16);
    sum01 = f32x4.add(sum01, f32x4.mul(value0, weights));
    weights = v128.load(w, 32);
    sum02 = f32x4.add(sum02, f32x4.mul(value0, weights));
    weights = v128.load(w, 48);
    sum03 = f32x4.add(sum03, f32x4.mul(value0, weights));
    weights = v128.load(w, 64);
    sum04 = f32x4.add(sum04, f32x4.mul(value0, weights));
    x0 += 4;
    w += 80;
  }
  storeWide(out, sum00, sum01, sum02, sum03, sum04, isProduct);
}
