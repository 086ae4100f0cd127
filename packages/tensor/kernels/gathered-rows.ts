// out[r] += Σ_j factors[r, j] · x[rows[r, j]], j in order: multiply, round, add, round. The rows of a sum are read where
// they lie, and a column's sum stays in a register until all of them are added. Addresses in bytes, sizes in elements.

import { loadTail, storeTail } from "./lanes";

export function addGatheredRows(
  out: usize,
  x: usize,
  rows: usize,
  factors: usize,
  outRows: i32,
  choices: i32,
  size: i32,
): void {
  const rowBytes = <usize>size << 2;
  const listBytes = <usize>choices << 2;
  const wideBytes = rowBytes & ~63;
  const wholeBytes = <usize>(size & -4) << 2;
  const rest = size & 3;
  for (let row = 0; row < outRows; row++) {
    const factorsEnd = factors + listBytes;
    let column: usize = 0;
    for (; column < wideBytes; column += 64) {
      const to = out + column;
      let sum0 = v128.load(to);
      let sum1 = v128.load(to, 16);
      let sum2 = v128.load(to, 32);
      let sum3 = v128.load(to, 48);
      let index = rows;
      for (let factor = factors; factor < factorsEnd; factor += 4, index += 4) {
        const from = x + <usize>load<u32>(index) * rowBytes + column;
        const scale = v128.load32_splat(factor);
        sum0 = f32x4.add(sum0, f32x4.mul(scale, v128.load(from)));
        sum1 = f32x4.add(sum1, f32x4.mul(scale, v128.load(from, 16)));
        sum2 = f32x4.add(sum2, f32x4.mul(scale, v128.load(from, 32)));
        sum3 = f32x4.add(sum3, f32x4.mul(scale, v128.load(from, 48)));
      }
      v128.store(to, sum0);
      v128.store(to, sum1, 16);
      v128.store(to, sum2, 32);
      v128.store(to, sum3, 48);
    }
    for (; column < wholeBytes; column += 16) {
      let sum = v128.load(out + column);
      let index = rows;
      for (let factor = factors; factor < factorsEnd; factor += 4, index += 4) {
        const from = x + <usize>load<u32>(index) * rowBytes + column;
        sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(factor), v128.load(from)));
      }
      v128.store(out + column, sum);
    }
    if (rest > 0) {
      let sum = loadTail(out + column, rest);
      let index = rows;
      for (let factor = factors; factor < factorsEnd; factor += 4, index += 4) {
        const from = x + <usize>load<u32>(index) * rowBytes + column;
        sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(factor), loadTail(from, rest)));
      }
      storeTail(out + column, sum, rest);
    }
    out += rowBytes;
    rows += listBytes;
    factors = factorsEnd;
  }
}
