// Everything of a run goes down together, whoever dies and whenever: within five seconds no process and no socket
// folder is left, and the command says what happened.

import { existsSync } from "node:fs";
import path from "node:path";
import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import {
  type CommandEnd,
  recordedBytes,
  remainsOf,
  socketsOf,
  startCommand,
  type StartedCommand,
  until,
  writeScenario,
} from "./support/command.ts";
import { temporaryFolder } from "./support/folders.ts";
import { childrenOf, processorSeconds } from "./support/process-tree.ts";
import { repeatWith, SEEDS } from "./support/seeds.ts";

const HOSTS = 4;
const ALLOWED_MILLISECONDS = 5000;
/** Hosts of a two-node cluster with four planes: a node each, then two planes each. */
const CARRIED = ["GPUs 0 to 3", "GPUs 4 to 7", "planes 0 to 1", "planes 2 to 3"];

/** Longer than any test waits. */
const LONG_RUN = {
  model: { preset: "v3-tiny" },
  cluster: { nodes: 2, gpusPerNode: 4, fabric: { planes: 4, nodesPerLeaf: 1, spinesPerPlane: 2 } },
  run: { decode: { schedule: "five-stage" } },
  workload: { drawn: { requestsPerGpu: 2, promptTokens: 4, steps: 20_000 } },
};

interface LongRun extends StartedCommand {
  readonly outputFolder: string;
}

function startLongRun(placement: string, more: object = {}): LongRun {
  const folder = temporaryFolder();
  const scenario = writeScenario(folder, { ...LONG_RUN, ...more });
  const outputFolder = path.join(folder, "run");
  const command = startCommand(["run", scenario, "--placement", placement, "--out", outputFolder]);
  return { ...command, outputFolder };
}

/** The command's end, after which nothing may be left; both within five seconds from now. */
async function endsClean(run: StartedCommand): Promise<CommandEnd> {
  const begin = performance.now();
  const isTimeUp = (): boolean => performance.now() - begin > ALLOWED_MILLISECONDS;
  await until("the end", () => remainsOf(run).length === 0 || isTimeUp());
  expect(remainsOf(run)).toEqual([]);
  return run.end;
}

const KILLED_HOST =
  /^error: host (\d) \(process (\d+)\), which carried (.*), was killed by SIGKILL; the run had reached virtual time ([\d.]+) µs\n {2}next .*\n$/;

type Moment = "while its hosts start" | "while its hosts bind their sockets" | "while it goes on";

/** Waits for a moment of a run. */
const MOMENTS: Readonly<Record<Moment, (run: LongRun, random: RandomStream) => Promise<void>>> = {
  "while its hosts start": async (run, random) => {
    const count = 1 + random.below(HOSTS);
    await until(`${count} hosts`, () => childrenOf(run.pid).length >= count);
  },
  "while its hosts bind their sockets": async (run, random) => {
    const count = 1 + random.below(HOSTS);
    await until(`${count} sockets`, () => socketsOf(run) >= count);
  },
  "while it goes on": async (run, random) => {
    await recordedBytes(run.outputFolder, 1 + random.below(1_000_000));
  },
};
const MOMENT_NAMES = Object.keys(MOMENTS) as Moment[];

describe.each(SEEDS)("seed %i", (seed) => {
  const again = repeatWith(seed, "death.proc.test.ts", "processes");

  describe.each(MOMENT_NAMES)("a run on processes, %s", (moment) => {
    const random = new RandomStream(seed, moment);

    test("ends with a sentence that names the host when a host is killed", async () => {
      const run = startLongRun(`processes:${HOSTS}`);
      await MOMENTS[moment](run, random);
      const hosts = childrenOf(run.pid);
      const victim = hosts[random.below(hosts.length)]!;
      process.kill(victim, "SIGKILL");
      const { exitCode, stdout, stderr } = await endsClean(run);
      expect(stderr, again).toMatch(KILLED_HOST);
      const [, host, pid, carried, reached] = KILLED_HOST.exec(stderr)!;
      expect([exitCode, stdout, Number(pid), carried]).toEqual([1, "", victim, CARRIED[Number(host)]]);
      if (moment === "while it goes on") expect(Number(reached)).toBeGreaterThan(0);
    });

    test("leaves nothing behind when its launcher is killed", async () => {
      const run = startLongRun(`processes:${HOSTS}`);
      await MOMENTS[moment](run, random);
      process.kill(run.pid, "SIGKILL");
      expect((await endsClean(run)).signal, again).toBe("SIGKILL");
    });
  });
});

/** One event of this run, a rank's whole prefill at degree 1, computes for several seconds. */
const LONG_EVENT = {
  model: { preset: "v3-small" },
  cluster: { nodes: 2, gpusPerNode: 1, fabric: { planes: 1 } },
  parallelism: { expertParallel: 1 },
  run: { phase: "prefill" },
  workload: { drawn: { requestsPerGpu: 1, promptTokens: 8000 } },
};

/** Processor time that takes a host well into that event: loading takes less than one. */
const DEEP_SECONDS = 2.5;

test.runIf(existsSync("/proc/self/stat"))(
  "hosts that compute for long end within five seconds when their launcher is killed",
  async () => {
    const run = startLongRun("processes:2", LONG_EVENT);
    const isDeep = (pid: number): boolean => processorSeconds(pid) > DEEP_SECONDS;
    await until("hosts deep in a computation", () => {
      const hosts = childrenOf(run.pid);
      return hosts.length === 2 && hosts.every(isDeep);
    });
    process.kill(run.pid, "SIGKILL");
    expect((await endsClean(run)).signal).toBe("SIGKILL");
  },
);

const [SEED] = SEEDS;

describe.each([
  [
    "Ctrl-C in a terminal, which reaches all processes,",
    (run: LongRun): void => void process.kill(-run.pid, "SIGINT"),
  ],
  ["SIGINT to the launcher alone", (run: LongRun): void => void process.kill(run.pid, "SIGINT")],
] as const)("%s", (how, interrupt) => {
  test.each([
    ["processes:4", "while its hosts start"],
    ["processes:4", "while it goes on"],
    ["processes:2:tcp", "while it goes on"],
    ["threads:2", "while it goes on"],
    ["inline", "while it goes on"],
  ] as const)(
    "ends a run on %s, %s, with exit code 130 and leaves nothing behind",
    async (placement, moment) => {
      const run = startLongRun(placement);
      await MOMENTS[moment](run, new RandomStream(SEED!, `${how} ${placement}`));
      interrupt(run);
      const { exitCode, stdout, stderr } = await endsClean(run);
      expect([exitCode, stdout, stderr]).toEqual([
        130,
        "",
        "SIGINT: ending the run and all of its hosts …\nended by SIGINT\n",
      ]);
    },
  );
});

describe.each(["processes:3", "threads:3", "inline"])("on %s", (placement) => {
  test("an error in one host ends the whole run with its message and exit code", async () => {
    // So slow a GPU that the first step never ends before 2^53 ps.
    const run = startLongRun(placement, { overrides: { gpus: { 3: { speed: 1e-12 } } } });
    const { exitCode, signal, stderr } = await run.end;
    expect([exitCode, signal]).toEqual([1, null]);
    expect(stderr).toMatch(/^error: .*\n {2}next .*\n$/);
    expect(stderr).toMatch(/virtual time/);
    expect(remainsOf(run)).toEqual([]);
  });
});
