// In which fields two JSON documents differ, such as the scenarios of two runs. Objects are compared field by field, all
// else as a whole. It knows nothing of what the fields mean.

export interface FieldDifference {
  /** Such as `run.decode.schedule`. */
  readonly path: string;
  /** Absent where the document has no such field. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** In the order of the first document's fields, then those that only the second one has. */
export function fieldDifferences(before: unknown, after: unknown, path = ""): FieldDifference[] {
  if (!isObject(before) || !isObject(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
  }
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => {
    const at = path === "" ? name : `${path}.${name}`;
    if (!(name in before)) return [{ path: at, after: after[name] }];
    if (!(name in after)) return [{ path: at, before: before[name] }];
    return fieldDifferences(before[name], after[name], at);
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
