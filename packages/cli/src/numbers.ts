// Reading numbers from the command line.

import { InvalidArgumentError } from "commander";

/** An option's value as an integer of at least `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`Found "${text}"; allowed: a whole number of at least ${least}.`);
    }
    return value;
  };
}

/** `1,2,3` as token ids. */
export function tokenIds(text: string): readonly number[] {
  const ids = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (ids.some((id) => !Number.isSafeInteger(id) || id < 0)) {
    throw new InvalidArgumentError(
      `Found "${text}"; allowed: whole numbers with commas between them, such as 1,2,3.`,
    );
  }
  return ids;
}
