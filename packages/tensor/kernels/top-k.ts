// The k largest of each row, by insertion into a sorted list of k, as in src/top-k.ts. Once the list is full, four
// elements at a time are passed over when none is larger than its smallest; a NaN is not, and ends the search.

/** Where the first NaN stands, counted over all rows; -1 without one. k is at least 1. */
export function topK(x: usize, rows: i32, size: i32, k: i32, indices: usize, values: usize): i32 {
  for (let row = 0; row < rows; row++) {
    let smallest: f32 = -Infinity;
    let column = 0;
    while (column < size) {
      const address = x + (<usize>column << 2);
      if (column >= k) {
        if (column + 4 <= size && i32x4.all_true(f32x4.le(v128.load(address), f32x4.splat(smallest)))) {
          column += 4;
          continue;
        }
        if (load<f32>(address) <= smallest) {
          column++;
          continue;
        }
      }
      const value = load<f32>(address);
      if (value != value) return row * size + column;
      let place: usize = <usize>min(column, k - 1) << 2;
      while (place > 0 && value > load<f32>(values + place - 4)) {
        store<f32>(values + place, load<f32>(values + place - 4));
        store<i32>(indices + place, load<i32>(indices + place - 4));
        place -= 4;
      }
      store<f32>(values + place, value);
      store<i32>(indices + place, column);
      if (column >= k - 1) smallest = load<f32>(values + (<usize>(k - 1) << 2));
      column++;
    }
    x += <usize>size << 2;
    indices += <usize>k << 2;
    values += <usize>k << 2;
  }
  return -1;
}
