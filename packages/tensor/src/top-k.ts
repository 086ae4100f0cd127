// The k largest elements of each row, by insertion into a sorted list of k: n comparisons for most rows, because
// after the first few elements almost none enters. Both implementations of the kernels use it.

import { WorldError } from "@windtunnel/base";
import { checkTopK } from "./shapes.ts";
import { rowCount, rowSize, type Tensor } from "./tensor.ts";

/** indices and values are [rows, k], largest first, ties to the lowest index. Throws "numerics" at a NaN. */
export function topK(x: Tensor, k: number, indices: Int32Array, values: Float32Array): void {
  checkTopK(x, k, indices, values);
  const rows = rowCount(x);
  const size = rowSize(x);
  for (let row = 0; row < rows; row++) {
    const first = row * k;
    for (let column = 0; column < size; column++) {
      const value = x.data[row * size + column]!;
      if (Number.isNaN(value)) throw nanInChoice(row, column);
      const kept = Math.min(column, k);
      // An equal element that came earlier keeps its place: only a larger one displaces it.
      if (kept === k && (k === 0 || !(value > values[first + k - 1]!))) continue;
      let place = kept === k ? first + k - 1 : first + kept;
      while (place > first && value > values[place - 1]!) {
        values[place] = values[place - 1]!;
        indices[place] = indices[place - 1]!;
        place--;
      }
      values[place] = value;
      indices[place] = column;
    }
  }
}

function nanInChoice(row: number, column: number): WorldError {
  return new WorldError(
    "numerics",
    `a NaN stands in row ${row}, column ${column} of the scores to choose from`,
    {
      row,
      column,
    },
  );
}
