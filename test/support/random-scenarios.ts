// Scenarios drawn from a seed: small clusters of every kind, patterns, schedules, gates, slow parts, ranks without requests.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { RandomStream } from "@windtunnel/base";
import { writeTimedModel } from "./timed-models.ts";

const LAYERS = 3;
const EXPERTS = 64;

/** Fields of a scenario; files that it names are written to `folder`. */
export function randomScenario(seed: number, folder: string): { model: unknown; [field: string]: unknown } {
  const random = new RandomStream(seed, "random scenario");
  const one = <Value>(...values: readonly Value[]): Value => values[random.below(values.length)]!;
  const isOneDomain = random.below(8) === 0;
  const nodes = one(1, 2, 2, 3, 4);
  const gpusPerNode = one(1, 2, 4);
  const ranks = nodes * gpusPerNode;
  const degrees = [1, 2, 4, 8, 16].filter((degree) => ranks % degree === 0 && degree <= ranks);
  const fabric = isOneDomain
    ? { kind: "nvlink-domain" }
    : {
        kind: one("multi-plane", "multi-plane", "multi-rail", "single-plane"),
        spinesPerPlane: one(1, 2, 4),
        network: one("infiniband", "roce"),
        routing: one("static", "ecmp", "adaptive"),
        pcie: random.below(4) === 0,
      };
  const phase = one("prefill", "decode", "decode", "generate");
  const decodePattern = one("direct", "normal", "low-latency", "low-latency");
  const prefillPattern = one("direct", "normal", "normal", "low-latency");
  const launch = decodePattern !== "normal" && random.below(3) === 0 ? "graph" : "kernels";
  const gpus: Record<string, { speed: number }> = {};
  if (random.below(3) === 0) gpus[String(random.below(ranks))] = { speed: one(0.5, 0.77, 1.5) };
  const routing = one<{ readonly draw: string; readonly exponent?: number }>(
    { draw: "balanced" },
    { draw: "gate-like" },
    { draw: "zipf", exponent: one(0.5, 1, 1.5) },
  );
  // The popular experts of zipf can't get much more: every token chooses them.
  const experts: Record<string, { load: number }> = {};
  if (routing.draw !== "zipf" && random.below(16) === 0) experts[String(random.below(EXPERTS))] = { load: 3 };
  // Fewer prompts than ranks leave some without tokens; of unequal lengths, for prompts that are cut in two.
  const lengths = Array.from({ length: 1 + random.below(2 * ranks) }, () => 1 + random.below(40));
  writeFileSync(
    path.join(folder, "prompts.jsonl"),
    lengths.map((length) => JSON.stringify({ tokens: Array.from({ length }, () => 7) })).join("\n"),
  );
  const workload =
    phase === "prefill" && random.below(2) === 0
      ? { prompts: "./prompts.jsonl", maxNewTokens: 2 }
      : {
          drawn: {
            requestsPerGpu: one(1, 2, 5, 24),
            // Credits limit a dispatch only where a rank has more tokens than its buffers.
            promptTokens:
              phase === "prefill" && prefillPattern === "normal" ? one(3, 40, 600) : one(3, 17, 40),
            steps: one(1, 2),
          },
        };
  return {
    model: { preset: "v3-small" },
    seed: random.below(1_000_000),
    math: "skip",
    routing,
    timing: {
      model: writeTimedModel(folder, LAYERS, EXPERTS, { dense: one(0, 1), shared: one(0, 1, 1) }),
      gpu: one("h800", "h100", "h20"),
    },
    cluster: { nodes, gpusPerNode, fabric },
    parallelism: { expertParallel: one(...degrees, degrees.at(-1)!) },
    run: {
      phase,
      prefill: { schedule: one("sequential", "dual-batch", "two-batch-sglang"), dispatch: prefillPattern },
      decode: {
        schedule: one("sequential", "five-stage", "two-batch-sglang"),
        dispatch: decodePattern,
        launch,
      },
      precision: one({ dispatch: "fp8", combine: "bf16" }, { dispatch: "f32", combine: "f32" }),
      ...(random.below(4) === 0 ? { nvlinkForDispatch: isOneDomain } : {}),
    },
    workload,
    overrides: {
      gpus,
      experts,
      ...(random.below(4) === 0 ? { launch: { time: one(0, 20) } } : {}),
      ...(random.below(4) === 0 ? { nvlink: { bandwidth: 0.3 } } : {}),
      ...("pcie" in fabric && fabric.pcie ? { pcie: { bandwidth: one(0.2, 1) } } : {}),
    },
    allowOversubscription: true,
  };
}
