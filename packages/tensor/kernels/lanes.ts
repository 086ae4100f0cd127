// Rows whose size is no multiple of four: the last one to three elements, without touching what lies behind them.
// A missing lane reads as +0. Adding +0 to a sum that began at +0 never changes its bits, so a four-lane sum
// over a padded tail is the documented one.

/** The first `count` (1 to 3) elements at `address`; the other lanes are +0. */
// @ts-ignore: decorator
@inline
export function loadTail(address: usize, count: i32): v128 {
  if (count == 1) return v128.load32_zero(address);
  const pair = v128.load64_zero(address);
  if (count == 2) return pair;
  return f32x4.replace_lane(pair, 2, load<f32>(address, 8));
}

/** Stores the first `count` (1 to 3) lanes. */
// @ts-ignore: decorator
@inline
export function storeTail(address: usize, value: v128, count: i32): void {
  store<f32>(address, f32x4.extract_lane(value, 0));
  if (count > 1) store<f32>(address, f32x4.extract_lane(value, 1), 4);
  if (count > 2) store<f32>(address, f32x4.extract_lane(value, 2), 8);
}

/** (l0 + l1) + (l2 + l3): the result of a four-lane sum. */
// @ts-ignore: decorator
@inline
export function sumOfLanes(lanes: v128): f32 {
  return (
    f32x4.extract_lane(lanes, 0) +
    f32x4.extract_lane(lanes, 1) +
    (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3))
  );
}
