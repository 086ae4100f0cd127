// The measured limit of the machine: twelve independent chains of multiply and add, on registers only.
// The benchmark compares the matrix product with it.

/** Runs `iterations` times 12 chains × 4 lanes × 2 operations; the result depends on every one of them. */
export function limitLoop(iterations: i32, factor: f32, summand: f32): f32 {
  const c = f32x4.splat(factor);
  const d = f32x4.splat(summand);
  let a0 = d;
  let a1 = f32x4.add(a0, d);
  let a2 = f32x4.add(a1, d);
  let a3 = f32x4.add(a2, d);
  let a4 = f32x4.add(a3, d);
  let a5 = f32x4.add(a4, d);
  let a6 = f32x4.add(a5, d);
  let a7 = f32x4.add(a6, d);
  let a8 = f32x4.add(a7, d);
  let a9 = f32x4.add(a8, d);
  let a10 = f32x4.add(a9, d);
  let a11 = f32x4.add(a10, d);
  for (let i = 0; i < iterations; i++) {
    a0 = f32x4.add(f32x4.mul(a0, c), d);
    a1 = f32x4.add(f32x4.mul(a1, c), d);
    a2 = f32x4.add(f32x4.mul(a2, c), d);
    a3 = f32x4.add(f32x4.mul(a3, c), d);
    a4 = f32x4.add(f32x4.mul(a4, c), d);
    a5 = f32x4.add(f32x4.mul(a5, c), d);
    a6 = f32x4.add(f32x4.mul(a6, c), d);
    a7 = f32x4.add(f32x4.mul(a7, c), d);
    a8 = f32x4.add(f32x4.mul(a8, c), d);
    a9 = f32x4.add(f32x4.mul(a9, c), d);
    a10 = f32x4.add(f32x4.mul(a10, c), d);
    a11 = f32x4.add(f32x4.mul(a11, c), d);
  }
  const low = f32x4.add(f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3)), f32x4.add(a4, a5));
  const high = f32x4.add(f32x4.add(f32x4.add(a6, a7), f32x4.add(a8, a9)), f32x4.add(a10, a11));
  const sum = f32x4.add(low, high);
  return f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 3);
}

/** The same work as separate chains of 6 multiplications and 6 additions: shorter latency, other port pressure. */
export function limitLoopApart(iterations: i32, factor: f32, summand: f32): f32 {
  const c = f32x4.splat(factor);
  const d = f32x4.splat(summand);
  let a0 = d;
  let a1 = f32x4.add(a0, d);
  let a2 = f32x4.add(a1, d);
  let a3 = f32x4.add(a2, d);
  let a4 = f32x4.add(a3, d);
  let a5 = f32x4.add(a4, d);
  let m0 = f32x4.add(a5, d);
  let m1 = f32x4.add(m0, d);
  let m2 = f32x4.add(m1, d);
  let m3 = f32x4.add(m2, d);
  let m4 = f32x4.add(m3, d);
  let m5 = f32x4.add(m4, d);
  for (let i = 0; i < iterations; i++) {
    m0 = f32x4.mul(m0, c);
    a0 = f32x4.add(a0, d);
    m1 = f32x4.mul(m1, c);
    a1 = f32x4.add(a1, d);
    m2 = f32x4.mul(m2, c);
    a2 = f32x4.add(a2, d);
    m3 = f32x4.mul(m3, c);
    a3 = f32x4.add(a3, d);
    m4 = f32x4.mul(m4, c);
    a4 = f32x4.add(a4, d);
    m5 = f32x4.mul(m5, c);
    a5 = f32x4.add(a5, d);
  }
  const low = f32x4.add(f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3)), f32x4.add(a4, a5));
  const high = f32x4.add(f32x4.add(f32x4.add(m0, m1), f32x4.add(m2, m3)), f32x4.add(m4, m5));
  const sum = f32x4.add(low, high);
  return f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 3);
}
