// The fields that schemas are made of. A schema's message is always the text of what is *allowed*; `problems.ts` puts
// what was found before it.

import { z } from "zod";

/** An integer from `least` up. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): z.ZodNumber {
  const error =
    most === Number.MAX_SAFE_INTEGER
      ? `a whole number of at least ${least}`
      : `a whole number from ${least} to ${most}`;
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error });
}

export function factor(): z.ZodNumber {
  const error = "a number above 0 (1 changes nothing)";
  return z.number({ error }).positive({ error });
}

export function oneOf<const Values extends readonly [string, ...string[]]>(
  ...values: Values
): z.ZodEnum<{ [Value in Values[number]]: Value }> {
  return z.enum(values, { error: values.length === 1 ? values[0] : `one of ${values.join(", ")}` });
}

export function text(allowed: string): z.ZodString {
  return z.string({ error: allowed }).min(1, { error: allowed });
}

export function flag(): z.ZodBoolean {
  return z.boolean({ error: "true or false" });
}

export function fields<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  allowed: string = `fields among ${Object.keys(shape).join(", ")}`,
): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, { error: allowed });
}
