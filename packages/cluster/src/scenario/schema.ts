// The scenario as users write it (version 1): field names, types, defaults and descriptions, in one zod schema.
// Unknown fields are errors, and every field but `model` has a default. A schema's message here is always the
// text of what is *allowed*; `problems.ts` puts what was found before it. What a version can't run yet is not
// known here: see `this-version.ts`.

import {
  DEFAULT_SWITCH_PORTS,
  defaultNodesPerLeaf,
  defaultSpines,
  FABRIC_KINDS,
} from "@windtunnel/network-plane";
import { z } from "zod";
import { overridesSchema } from "./overrides-schema.ts";
import { ALLOWED_PLACEMENTS, parsePlacement, type Placement, PLACEMENT_PATTERN } from "./placement.ts";
import { factor, fields, flag, oneOf, text, whole } from "./schema-fields.ts";
import type { Scenario, ScenarioFabric, ScenarioModel, ScenarioWorkload } from "./scenario.ts";

/** Far above what a run gets through, so that a slip of the keyboard is refused and not tried. */
const MOST_NODES = 4096;
const MOST_GPUS_PER_NODE = 256;
const MOST_PLANES = 256;
const MOST_SWITCH_PORTS = 4096;
const MOST_REQUESTS_PER_GPU = 65_536;
const MOST_REDUNDANT_EXPERTS = 65_536;

const MODEL_ALLOWED = "either { checkpoint: FOLDER } or { preset: NAME }";
const WORKLOAD_ALLOWED = "either { prompts: FILE, maxNewTokens: N } or { drawn: { … } }";

const modelSchema = fields(
  {
    checkpoint: text("the path of a folder with config.json and *.safetensors")
      .describe(
        "Folder of a Hugging Face checkpoint (config.json and *.safetensors), relative to the scenario.",
      )
      .optional(),
    preset: text("a name that `windtunnel models` lists")
      .describe("A preset whose weights are drawn from the seed; `windtunnel models` lists them.")
      .optional(),
  },
  MODEL_ALLOWED,
)
  .check((context) => {
    const { checkpoint, preset } = context.value;
    if ((checkpoint === undefined) === (preset === undefined)) {
      context.issues.push({
        code: "custom",
        message: MODEL_ALLOWED,
        input: context.value,
      });
    }
  })
  .transform(({ checkpoint, preset }): ScenarioModel =>
    checkpoint === undefined ? { preset: preset! } : { checkpoint },
  )
  .describe("The executed model, a checkpoint or a preset. The one field without a default.");

const timingSchema = fields({
  model: text("executed, a preset's name, or the path of a config.json")
    .default("executed")
    .describe(
      'The model that the clock prices: "executed", a preset such as deepseek-v3, or the path of a config.json.',
    ),
  gpu: text("a profile's name, or the path of a JSON or YAML profile")
    .default("h800")
    .describe(
      "Hardware profile (h800, h100, h200, h20, b200, gb200), or the path of a JSON or YAML profile file.",
    ),
  kvLength: whole(1)
    .exactOptional()
    .describe(
      "Cached tokens that every request is priced with in decode, and in memory. Default: as many as executed.",
    ),
  fusedActivation: flag()
    .default(true)
    .describe(
      "Whether experts' SwiGLU and the FP8 cast of its result are one kernel, as in DeepSeek's trace; false: two, as in SGLang's prefill.",
    ),
});

const fabricSchema = fields({
  kind: oneOf(...FABRIC_KINDS)
    .default("multi-plane")
    .describe(
      "Topology. multi-plane: disjoint two-layer fat-trees, one for each NIC of a node; multi-rail: the same leaves, all rails under shared spines; single-plane: one fat-tree for all NICs; nvlink-domain: all GPUs at one NVLink switch, and no planes.",
    ),
  planes: whole(1, MOST_PLANES)
    .exactOptional()
    .describe(
      "NICs of each node that are used, each on its own plane, on its own rail, or on the single plane. Default: those of the hardware profile, one for each GPU at most.",
    ),
  nodesPerLeaf: whole(1)
    .exactOptional()
    .describe(
      "Nodes under one leaf switch of a plane or rail. Default: half of its ports; in single-plane, divided by a node's NICs.",
    ),
  spinesPerPlane: whole(0)
    .exactOptional()
    .describe(
      "Number of spine switches of a plane; in multi-rail, of all rails together. Default: half of a switch's ports.",
    ),
  switchPorts: whole(2, MOST_SWITCH_PORTS)
    .default(DEFAULT_SWITCH_PORTS)
    .describe("Ports of each leaf and spine switch."),
  network: oneOf("infiniband", "roce")
    .default("infiniband")
    .describe("Link technology; it sets the switch latency."),
  routing: oneOf("static", "ecmp", "adaptive")
    .default("static")
    .describe(
      "How a message finds its spine; static: target node (in a single plane: target NIC) modulo spines; ecmp: a hash of source and target rank; adaptive: the uplink of its own leaf that is free first.",
    ),
  pcie: flag()
    .default(false)
    .describe(
      "Whether messages cross PCIe links between GPU and NIC, where other traffic contends; false: PCIe's time is part of the end latency.",
    ),
}).transform((fabric): ScenarioFabric => {
  const { kind, switchPorts, spinesPerPlane = defaultSpines(switchPorts) } = fabric;
  if (kind === "single-plane") return { ...fabric, spinesPerPlane };
  const { nodesPerLeaf = defaultNodesPerLeaf(kind, switchPorts, 1) } = fabric;
  return { ...fabric, nodesPerLeaf, spinesPerPlane };
});

const clusterSchema = fields({
  nodes: whole(1, MOST_NODES).default(1).describe("Number of nodes of the emulated cluster."),
  gpusPerNode: whole(1, MOST_GPUS_PER_NODE).default(8).describe("Number of GPUs in a node."),
  fabric: fabricSchema.prefault({}).describe("The network between nodes."),
});

const parallelismSchema = fields({
  expertParallel: whole(1)
    .exactOptional()
    .describe("GPUs that share one copy of the experts; divides the number of GPUs. Default: all GPUs."),
  redundantExperts: whole(0, MOST_REDUNDANT_EXPERTS)
    .default(0)
    .describe(
      "Replicas in each layer beyond one of each expert, placed by EPLB; experts plus these divide by expertParallel.",
    ),
});

const PREFILL_SCHEDULES =
  "sequential, dual-batch, two-batch-sglang, or the path of a schedule's file (./mine.ts)";
const DECODE_SCHEDULES =
  "sequential, five-stage, two-batch-sglang, or the path of a schedule's file (./mine.ts)";
/** Batch sizes that SGLang captures decode graphs for (server_args.py): finer where batches are small. */
const GRAPH_SIZES: number[] = [
  1,
  2,
  4,
  8,
  12,
  ...Array.from({ length: 31 }, (_, index) => 16 + 8 * index),
  ...Array.from({ length: 16 }, (_, index) => 272 + 16 * index),
];
const PATTERN_ALLOWED = "direct, normal, low-latency, or the path of a pattern's file (./mine.ts)";
const dispatchPattern = text(PATTERN_ALLOWED);
const wirePrecision = oneOf("f32", "bf16", "fp8");

const runSchema = fields({
  phase: oneOf("generate", "prefill", "decode")
    .default("generate")
    .describe("What is run: prompts and generation, prompts alone, or generation from a filled KV cache."),
  prefill: fields({
    schedule: text(PREFILL_SCHEDULES)
      .default("sequential")
      .describe(`Order of operations in prefill: ${PREFILL_SCHEDULES}.`),
    dispatch: dispatchPattern
      .default("direct")
      .describe(`All-to-all pattern in prefill: ${PATTERN_ALLOWED}.`),
  })
    .prefault({})
    .describe("How prompts are computed."),
  decode: fields({
    schedule: text(DECODE_SCHEDULES)
      .default("sequential")
      .describe(`Order of operations in decode: ${DECODE_SCHEDULES}.`),
    dispatch: dispatchPattern
      .default("low-latency")
      .describe(`All-to-all pattern in decode: ${PATTERN_ALLOWED}.`),
    launch: oneOf("kernels", "graph")
      .default("kernels")
      .describe(
        "How the host launches a step: kernel by kernel, or as one captured graph, whose dense kernels have the size that it was captured with.",
      ),
    graphSizes: z
      .array(whole(1), { error: "numbers of requests, ascending" })
      .min(1, { error: "numbers of requests, ascending" })
      .refine((sizes) => sizes.every((size, index) => index === 0 || size > sizes[index - 1]!), {
        error: "numbers of requests, ascending",
      })
      .default(GRAPH_SIZES)
      .describe(
        "Requests of a GPU that graphs are captured for; a batch is padded to the next one. Default: SGLang's, 1 to 512.",
      ),
  })
    .prefault({})
    .describe("How new tokens are computed."),
  precision: fields({
    dispatch: wirePrecision.default("f32").describe("Number format of activations sent to experts."),
    combine: wirePrecision.default("f32").describe("Number format of expert outputs sent back."),
  })
    .prefault({})
    .describe("Number formats on the wire."),
  communicationSms: whole(2, 1024)
    .multipleOf(2, { error: "an even number of SMs" })
    .exactOptional()
    .describe(
      "SMs that the kernels of direct and normal hold while they run; an even number. Default: the schedule's: 24 with dual-batch, otherwise 20.",
    ),
  nvlinkForDispatch: flag()
    .default(true)
    .describe(
      "Whether dispatch and combine may use NVLink; false: NICs and a leaf, also inside a node. Always true in an nvlink-domain.",
    ),
});

const DEFAULT_NEW_TOKENS = 16;
const PROMPTS_ALLOWED = 'the path of a file with lines of {"tokens":[…]}';

const drawnSchema = fields({
  requestsPerGpu: whole(1, MOST_REQUESTS_PER_GPU)
    .default(4)
    .describe("Requests that each GPU serves, all there at the start."),
  promptTokens: whole(1)
    .default(8)
    .describe("Length of each prompt in tokens; in phase decode, the length of the KV cache at the start."),
  steps: whole(1)
    .default(4)
    .describe("Decode steps: new tokens of each request; in phase generate, its prefill gives one more."),
  positionsPerRequest: whole(1)
    .default(1)
    .describe("Positions of a request computed in one decode step; above 1: multi-token prediction."),
  acceptedPerStep: z
    .number({ error: "a number of at least 1" })
    .min(1, { error: "a number of at least 1" })
    .default(1)
    .describe("Tokens that a decode step yields for each request, on average."),
});

/** A drawn workload's fields may also stand in `workload` itself: { requestsPerGpu: 8 } is { drawn: { … } }. */
export function spelledOutWorkload(workload: unknown): unknown {
  const isObject = typeof workload === "object" && workload !== null && !Array.isArray(workload);
  if (!isObject || "drawn" in workload || "prompts" in workload) return workload;
  const isDrawn = Object.keys(workload).some((key) => key in drawnSchema.shape);
  return isDrawn ? { drawn: workload } : workload;
}

const workloadSchema = fields(
  {
    prompts: text(PROMPTS_ALLOWED)
      .describe('File with one {"tokens":[…]} in each line, relative to the scenario.')
      .optional(),
    maxNewTokens: whole(1)
      .describe(`New tokens of each request of \`prompts\`, at most. Default: ${DEFAULT_NEW_TOKENS}.`)
      .optional(),
    drawn: drawnSchema.describe("Requests of equal size, their tokens drawn from the seed.").optional(),
  },
  WORKLOAD_ALLOWED,
)
  .check((context) => {
    const { prompts, maxNewTokens, drawn } = context.value;
    if (drawn !== undefined && prompts !== undefined) {
      context.issues.push({
        code: "custom",
        message: WORKLOAD_ALLOWED,
        input: context.value,
      });
    }
    if (maxNewTokens !== undefined && prompts === undefined) {
      context.issues.push({
        code: "custom",
        message: "only beside `prompts` (a drawn workload has `steps`)",
        path: ["maxNewTokens"],
        input: maxNewTokens,
      });
    }
  })
  .transform(({ prompts, maxNewTokens, drawn }): ScenarioWorkload =>
    prompts === undefined
      ? { drawn: drawn ?? drawnSchema.parse({}) }
      : { prompts, maxNewTokens: maxNewTokens ?? DEFAULT_NEW_TOKENS },
  );

const routingSchema = z.union(
  [
    fields({
      draw: oneOf("balanced", "gate-like", "zipf").describe(
        "Distribution that choices of experts are drawn from.",
      ),
      exponent: factor().exactOptional().describe("Exponent of the power law of expert popularity (zipf)."),
      groups: whole(1).exactOptional().describe("Number of expert groups. Default: the timed model's."),
      limitedGroups: whole(1)
        .exactOptional()
        .describe("Groups a token may choose from. Default: the timed model's."),
    }),
    fields({ file: text("the path of a recording").describe("Recording whose routing is replayed.") }),
  ],
  { error: "either { draw: balanced | gate-like | zipf, … } or { file: RECORDING }" },
);

const hosts = whole(1, 99_999).describe("Number of hosts: at most one for each GPU and one for each plane.");

const placementSchema = z
  .union(
    [
      z.string().regex(PLACEMENT_PATTERN, { error: ALLOWED_PLACEMENTS }),
      fields({ kind: z.literal("inline").describe("Everything in one thread.") }),
      fields({ kind: z.literal("threads").describe("Worker threads over shared memory."), hosts }),
      fields({
        kind: z.literal("processes").describe("Operating-system processes over ZeroMQ."),
        hosts,
        transport: oneOf("ipc", "tcp")
          .default("ipc")
          .describe("Sockets between processes: local ones or TCP."),
      }),
    ],
    { error: ALLOWED_PLACEMENTS },
  )
  .transform((value): Placement => (typeof value === "string" ? parsePlacement(value)! : value))
  .prefault("inline")
  .describe(
    "Where the emulation runs: inline, threads:N, processes:N, processes:N:tcp. Never changes a result.",
  );

/** Any version-1 scenario in; a resolved one out. Issues carry the allowed values as their messages. */
export const scenarioSchema: z.ZodType<Scenario> = fields({
  version: z.literal(1, { error: "1" }).default(1).describe("Version of the scenario format."),
  name: z
    .string({ error: "text" })
    .regex(/^[A-Za-z0-9][A-Za-z0-9_ .+-]{0,99}$/, {
      error: "up to 100 letters, digits, spaces and _ . + -, starting with a letter or a digit",
    })
    .default("scenario")
    .describe("Name of the run and of its output folder. A file without it is called by its own name."),
  seed: whole(0, 2 ** 32 - 1)
    .default(1)
    .describe("Seed of every draw: weights, tokens, identifiers."),
  model: modelSchema,
  math: oneOf("real", "skip")
    .default("real")
    .describe(
      "real: the executed model is computed; skip: routing is drawn or replayed, nothing is computed.",
    ),
  routing: routingSchema.exactOptional().describe("Where choices of experts come from with `math: skip`."),
  timing: timingSchema.prefault({}).describe("What the virtual clock prices."),
  cluster: clusterSchema.prefault({}).describe("The emulated cluster."),
  parallelism: parallelismSchema.prefault({}).describe("How experts are spread over GPUs."),
  run: runSchema.prefault({}).describe("What is run, and how."),
  workload: workloadSchema
    .prefault({})
    .describe("Requests: prompts from a file, or drawn. Default: drawn, 4 for each GPU."),
  overrides: overridesSchema.prefault({}).describe("Parts made slower or faster, one or all of a kind."),
  placement: placementSchema,
  allowOversubscription: flag()
    .default(false)
    .describe("Run also where weights, KV cache and buffers do not fit the GPUs' memory."),
}).transform((scenario): Scenario => {
  const { nodes, gpusPerNode } = scenario.cluster;
  const { expertParallel = nodes * gpusPerNode, redundantExperts } = scenario.parallelism;
  return { ...scenario, parallelism: { expertParallel, redundantExperts } };
});
