// What a scenario makes slower, faster or absent, as users write it: factors on single parts, and on all of a kind. Which
// parts there are is checked where they are known: `consistency.ts`, `fabric.ts` and `expert-loads.ts` beside scenarios.

import { z } from "zod";
import type { ScenarioOverrides } from "./scenario.ts";
import { factor, fields } from "./schema-fields.ts";

/** Single parts of a kind, by their numbers. */
function byNumber<Part extends z.ZodType>(
  part: Part,
  numbers: string,
  parts: string,
): z.ZodRecord<z.ZodString, Part> {
  const number = z.string().regex(/^(?:0|[1-9]\d*)$/, { error: numbers });
  return z.record(number, part, { error: `a mapping from ${parts}` });
}

const LAUNCH_ALLOWED = "a number of at least 0 (1 changes nothing; 0: launches take no time)";

/** All links of a kind. */
function everyLink(
  description: string,
): z.ZodExactOptional<z.ZodObject<{ bandwidth: z.ZodNumber }, z.core.$strict>> {
  return fields({
    bandwidth: factor().describe("Factor on the bandwidth of every link of this kind; 0.5 is half as fast."),
  })
    .exactOptional()
    .describe(description);
}

export const overridesSchema: z.ZodType<ScenarioOverrides> = fields({
  gpus: byNumber(
    fields({ speed: factor().describe("Factor on the GPU's rate of computing; 0.5 is half as fast.") }),
    "a rank: 0, 1, 2, …",
    "ranks to { speed }",
  )
    .default({})
    .describe("Single GPUs, by rank."),
  links: z
    .record(
      z.string(),
      fields({ bandwidth: factor().describe("Factor on the link's bandwidth; 0.5 is half as fast.") }),
      { error: "a mapping from link names to { bandwidth }" },
    )
    .default({})
    .describe('Single links, by name, such as "plane 3 / leaf 0 - spine 5".'),
  nic: everyLink("All NICs, and all links of planes, which have the NICs' rate. Not in an nvlink-domain."),
  nvlink: everyLink("All NVLink links."),
  pcie: everyLink("All PCIe links inside nodes; only with cluster.fabric.pcie."),
  launch: fields({
    time: z
      .number({ error: LAUNCH_ALLOWED })
      .min(0, { error: LAUNCH_ALLOWED })
      .describe("Factor on the host's time of each kernel launch; 0: launches take no time."),
  })
    .exactOptional()
    .describe("Kernel launches on all GPUs."),
  experts: byNumber(
    fields({
      load: factor().describe(
        "Factor on the rows that the expert gets, as against the experts that are not overridden.",
      ),
    }),
    "an expert's number: 0, 1, 2, …",
    "experts to { load }",
  )
    .default({})
    .describe(
      "Single experts, by number, in every layer of drawn routing (math: skip). Choices are then drawn by popularity, also where the draw is balanced or gate-like: alike but for these experts. EPLB does not know of it.",
    ),
});
