// Nelder and Mead's simplex, written plainly: finds positive numbers where a function is small, starting from a guess.
// Only + - * / and comparisons, so the same numbers on every machine. It does not know what is fitted.

export interface MinimiseOptions {
  /** One positive number for each constant; the first simplex moves each by a fifth. */
  readonly start: readonly number[];
  readonly iterations: number;
}

interface Vertex {
  readonly point: readonly number[];
  readonly value: number;
}

/** The best point found; `lossOf` is asked for positive points only. */
export function minimise(lossOf: (point: readonly number[]) => number, options: MinimiseOptions): number[] {
  const { start, iterations } = options;
  const at = (point: readonly number[]): Vertex => ({
    point,
    value: point.every((x) => x > 0) ? lossOf(point) : Number.POSITIVE_INFINITY,
  });
  const moved = (index: number): number[] => start.map((x, other) => (other === index ? x * 1.2 : x));
  let simplex = [at(start), ...start.map((_, index) => at(moved(index)))];
  for (let iteration = 0; iteration < iterations; iteration++) {
    simplex = simplex.toSorted((a, b) => a.value - b.value);
    const best = simplex[0]!;
    const worst = simplex.at(-1)!;
    const others = simplex.slice(0, -1);
    const centre = start.map((_, index) => mean(others.map(({ point }) => point[index]!)));
    /** The centre, and from there away from the worst (or towards it, below zero). */
    const beyond = (factor: number): Vertex =>
      at(centre.map((x, index) => x + factor * (x - worst.point[index]!)));
    const reflected = beyond(1);
    let next: Vertex | undefined = reflected;
    if (reflected.value < best.value) {
      const expanded = beyond(2);
      if (expanded.value < reflected.value) next = expanded;
    } else if (reflected.value >= others.at(-1)!.value) {
      const contracted = reflected.value < worst.value ? beyond(0.5) : beyond(-0.5);
      next = contracted.value < Math.min(reflected.value, worst.value) ? contracted : undefined;
    }
    simplex =
      next === undefined
        ? simplex.map(({ point }, index) =>
            index === 0 ? best : at(point.map((x, axis) => (x + best.point[axis]!) / 2)),
          )
        : [...others, next];
  }
  return [...simplex.toSorted((a, b) => a.value - b.value)[0]!.point];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
