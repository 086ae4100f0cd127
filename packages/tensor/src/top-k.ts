// The k largest elements of each row, by insertion into a sorted list of k: n comparisons for most rows, because
// after the first few elements almost none enters. The plain version; kernels/top-k.ts is the same in WebAssembly.

import { WorldError } from "@windtunnel/base";
import { checkTopK } from "./shapes.ts";
import { rowCount, rowSize, type Tensor } from "./tensor.ts";

/** indices and values are [rows, k], largest first, ties to the lowest index. Throws "numerics" at a NaN. */
export function topK(x: Tensor, k: number, indices: Int32Array, values: Float32Array): void {
  checkTopK(x, k, indices, values);
  if (k === 0) return;
  const { data } = x;
  const rows = rowCount(x);
  const size = rowSize(x);
  for (let row = 0; row < rows; row++) {
    const start = row * size;
    const first = row * k;
    // Until k are kept, everything enters; later only what is larger than the smallest: an equal one came too late.
    let smallest = -Infinity;
    for (let column = 0; column < size; column++) {
      const value = data[start + column]!;
      if (value <= smallest && column >= k) continue;
      if (Number.isNaN(value)) throw nanInChoice(row, column);
      let place = first + Math.min(column, k - 1);
      while (place > first && value > values[place - 1]!) {
        values[place] = values[place - 1]!;
        indices[place] = indices[place - 1]!;
        place--;
      }
      values[place] = value;
      indices[place] = column;
      if (column >= k - 1) smallest = values[first + k - 1]!;
    }
  }
}

export function nanInChoice(row: number, column: number): WorldError {
  return new WorldError(
    "numerics",
    `a NaN stands in row ${row}, column ${column} of the scores to choose from`,
    {
      row,
      column,
    },
  );
}
