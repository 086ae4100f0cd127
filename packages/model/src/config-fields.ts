// Reads fields of a JSON object with their defaults, and refuses what is not allowed.
// It knows nothing of models. Every refusal names the file, the field, what was found and what is allowed.

import { inputError, type WorldError } from "@windtunnel/base";

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export class FieldReader {
  readonly file: string;
  readonly #json: JsonObject;
  readonly #prefix: string;

  constructor(json: JsonObject, file: string, prefix = "") {
    this.#json = json;
    this.file = file;
    this.#prefix = prefix;
  }

  /** The field as it stands; undefined where it is missing or null, which Hugging Face treats alike. */
  raw(field: string): unknown {
    return this.#json[field] ?? undefined;
  }

  isNull(field: string): boolean {
    return this.#json[field] === null;
  }

  refuse(field: string, allowed: string): WorldError {
    const found = this.#json[field];
    const path = this.#prefix + field;
    return inputError(`${this.file}: ${path} is ${shown(found)}; allowed: ${allowed}`, {
      file: this.file,
      path,
      found,
      allowed,
    });
  }

  integer(field: string, fallback: number | undefined, least: number): number {
    const value = this.raw(field) ?? fallback;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
    throw this.refuse(field, `an integer of at least ${least}`);
  }

  positive(field: string, fallback: number | undefined): number {
    const value = this.raw(field) ?? fallback;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw this.refuse(field, "a number above 0");
  }

  atLeastZero(field: string, fallback: number): number {
    const value = this.raw(field) ?? fallback;
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
    throw this.refuse(field, "a number of at least 0");
  }

  boolean(field: string, fallback: boolean): boolean {
    const value = this.raw(field) ?? fallback;
    if (typeof value === "boolean") return value;
    throw this.refuse(field, "true or false");
  }

  oneOf<Choice extends string>(
    field: string,
    fallback: Choice | undefined,
    choices: readonly Choice[],
  ): Choice {
    const value = this.raw(field) ?? fallback;
    const choice = choices.find((candidate) => candidate === value);
    if (choice !== undefined) return choice;
    throw this.refuse(field, choices.map((candidate) => `"${candidate}"`).join(", "));
  }

  /** The reader of a nested object; undefined where the field is missing or null. */
  nested(field: string): FieldReader | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) throw this.refuse(field, "an object");
    return new FieldReader(value, this.file, `${this.#prefix}${field}.`);
  }
}

function shown(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value);
}
