import { describe, expect, test } from "vitest";
import { checkHosts } from "./consistency.ts";
import { scenarioJsonSchema } from "./json-schema.ts";
import { resolveScenario } from "./load-scenario.ts";
import type { Scenario } from "./scenario.ts";
import { formatPlacement, parsePlacement } from "./placement.ts";

interface Node {
  readonly description?: string;
  readonly properties?: Record<string, Node>;
  readonly anyOf?: readonly Node[];
  readonly additionalProperties?: Node | boolean;
}

function fieldsOf(node: Node, path: string): { path: string; node: Node }[] {
  const children = Object.entries(node.properties ?? {}).map(([name, child]) => ({
    path: `${path}.${name}`,
    node: child,
  }));
  const others = [...(node.anyOf ?? []), node.additionalProperties].filter((one) => typeof one === "object");
  return [
    ...children,
    ...children.flatMap((child) => fieldsOf(child.node, child.path)),
    ...others.flatMap((other) => fieldsOf(other, path)),
  ];
}

describe("the JSON schema", () => {
  test("describes every field and closes every mapping", () => {
    const schema = scenarioJsonSchema() as Node;
    const fields = fieldsOf(schema, "");
    expect(fields.length).toBeGreaterThan(40);
    for (const { path, node } of fields) {
      expect(node.description, path).toMatch(/.{5,}/);
      if (node.properties !== undefined) expect(node.additionalProperties, path).toBe(false);
    }
    expect((schema as { required?: string[] }).required).toEqual(["model"]);
  });
});

function placedOn(placement: string): Scenario {
  return resolveScenario({ model: { preset: "tiny" }, placement }, { folder: "/" });
}

describe("placements", () => {
  test.each(["inline", "threads:1", "threads:16", "processes:10", "processes:2:tcp"])(
    "%s reads back",
    (text) => {
      expect(formatPlacement(parsePlacement(text)!)).toBe(text);
    },
  );

  test.each([
    "",
    "threads",
    "threads:",
    "threads:01",
    "threads:2:tcp",
    "processes:-1",
    "process:2",
    "inline:1",
  ])("%j is none", (text) => expect(parsePlacement(text)).toBeUndefined());

  test("with more hosts than GPUs and planes are refused", () => {
    // One node of 8 GPUs and 8 planes: 16 hosts at most.
    expect(() => checkHosts(placedOn("threads:16"), 8)).not.toThrow();
    expect(() => checkHosts(placedOn("threads:17"), 8)).toThrow(
      "found threads:17; allowed: at most 16 hosts",
    );
  });
});
