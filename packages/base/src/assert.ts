// Assertions that stay on. A broken invariant is a bug in Windtunnel, never a fault of the input:
// it stops the run and carries what was expected and what came.

/** A bug: something that the code itself guarantees did not hold. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/** Throws `InvariantViolation` with `message` unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantViolation(message);
}

/** Narrows away undefined where the surrounding code guarantees a value. */
export function defined<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new InvariantViolation(`${what} is missing`);
  return value;
}
