// Which field names the schema knows, and where: for the hints beside an unknown field. Read from the JSON Schema,
// so that nothing here repeats the schema. Only built when a scenario is wrong.

import { scenarioJsonSchema } from "./json-schema.ts";
import { type FieldNames, formatPath } from "./problems.ts";

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly anyOf?: readonly SchemaNode[];
}

export function scenarioFieldNames(): FieldNames {
  const root = scenarioJsonSchema() as SchemaNode;
  return {
    at: (path) => {
      let nodes: readonly SchemaNode[] = [root];
      for (const key of path) nodes = nodes.flatMap((node) => childrenAt(node, key));
      return [
        ...new Set(
          nodes.flatMap((node) => alternatives(node).flatMap((one) => Object.keys(one.properties ?? {}))),
        ),
      ];
    },
    called: (name) => [...new Set(pathsTo(root, name, []))],
  };
}

function alternatives(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf ?? [node];
}

function childrenAt(node: SchemaNode, key: string): SchemaNode[] {
  return alternatives(node).flatMap((one) => {
    const child = one.properties?.[key] ?? one.additionalProperties;
    return typeof child === "object" ? [child] : [];
  });
}

function pathsTo(node: SchemaNode, name: string, at: readonly string[]): string[] {
  return alternatives(node).flatMap((one) =>
    Object.entries(one.properties ?? {}).flatMap(([key, child]) => [
      ...(key === name ? [formatPath([...at, key])] : []),
      ...pathsTo(child, name, [...at, key]),
    ]),
  );
}
