// The JSON Schema of a scenario, for editors: names, types, defaults, and a description of every field.

import { z } from "zod";
import { scenarioSchema } from "./schema.ts";

const SAFE_INTEGER = Number.MAX_SAFE_INTEGER;

/** A plain object, in JSON Schema draft 2020-12. */
export function scenarioJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(scenarioSchema, {
    io: "input",
    override: ({ jsonSchema }) => {
      // "Any whole number" needs no upper bound in an editor's hint.
      if (jsonSchema.maximum === SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return {
    $schema: schema.$schema,
    title: "Windtunnel scenario, version 1",
    description:
      "A cluster, a model, a workload and how they run. Unknown fields are errors; only `model` is required.",
    ...schema,
  };
}
