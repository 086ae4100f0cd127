import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { scenarioJsonSchema } from "@windtunnel/cluster";

test("scenario.schema.json is up to date (npm run scenario-schema -w packages/cli)", () => {
  const text = readFileSync(new URL("../scenario.schema.json", import.meta.url), "utf8");
  expect(JSON.parse(text)).toEqual(scenarioJsonSchema());
});
