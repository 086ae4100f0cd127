// Kinds of test, told apart by their file names: `.test.ts` and `.sim.test.ts` are pure and quick, `.proc.test.ts` starts real
// threads and processes and runs on its own, `.long.test.ts` is pure and takes minutes: many runs of what a quick one tries.
import type { ViteUserConfig } from "vitest/config";

const ignored = ["**/node_modules/**", "**/dist/**"];

const config: ViteUserConfig = {
  test: {
    // Tests are bound by the processor; by default one of two would idle.
    maxWorkers: "100%",
    projects: [
      {
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts", "traces/*.test.ts"],
          exclude: [...ignored, "**/*.proc.test.ts", "**/*.long.test.ts"],
          testTimeout: 60_000,
          // Modules keep nothing that a test could change; loading them once for each worker saves a third of the time.
          isolate: false,
        },
      },
      {
        test: {
          name: "processes",
          include: ["packages/*/src/**/*.proc.test.ts", "test/**/*.proc.test.ts"],
          exclude: ignored,
          testTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "long",
          include: ["packages/*/src/**/*.long.test.ts", "test/**/*.long.test.ts"],
          exclude: ignored,
          testTimeout: 900_000,
          isolate: false,
        },
      },
    ],
  },
};

export default config;
