// Writes scenario.schema.json: `npm run scenario-schema -w packages/cli`. A test says when it is out of date.

import { writeFileSync } from "node:fs";
import { scenarioJsonSchema } from "@windtunnel/cluster";

const file = new URL("../scenario.schema.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(scenarioJsonSchema(), undefined, 2)}\n`);
