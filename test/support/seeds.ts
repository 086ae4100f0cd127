// Seeds of random tests: a fixed one, and one that is new in every run unless WINDTUNNEL_TEST_SEED names it.

const FIXED_SEED = 20_240_926;

export const SEEDS: readonly number[] = [
  FIXED_SEED,
  Number(process.env["WINDTUNNEL_TEST_SEED"] ?? Date.now() % 1_000_000_007),
];

/** For the message of an expectation: how to repeat a failure. */
export function repeatWith(seed: number, file: string, project: "unit" | "processes" = "unit"): string {
  return `repeat with WINDTUNNEL_TEST_SEED=${seed} npx vitest run --project ${project} test/${file}`;
}
