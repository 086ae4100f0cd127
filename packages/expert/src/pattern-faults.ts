// What is said of a pattern that goes wrong: its name, what it did, and where. What the code of a user's file throws is an
// error of that file; what the world did (wrong input, a deadlock) stays what it is.

import { lineOfFile, WorldError } from "@windtunnel/base";
import type { Phase, Place } from "@windtunnel/trace";
import type { Program } from "@windtunnel/virtual-time";

export interface PatternFaultsOptions {
  readonly pattern: string;
  readonly place: Place;
  readonly phase: () => Phase;
  /** Of the run. */
  readonly rank: number;
}

export class PatternFaults {
  /** Set where the pattern is a user's file. */
  file: string | undefined;
  readonly #options: PatternFaultsOptions;

  constructor(options: PatternFaultsOptions) {
    this.#options = options;
  }

  /** Throws with the pattern's name in front and the place behind; `what` is the rest of the sentence. */
  fail(what: string): never {
    throw this.#error(what);
  }

  refuse(mistake: string | undefined): void {
    if (mistake !== undefined) this.fail(mistake);
  }

  /** A program of a user's file, whose errors are told by its line; any other as it is. */
  guarded<Result>(program: Program<Result>): Program<Result> {
    return this.file === undefined ? program : this.#toldFrom(program);
  }

  *#toldFrom<Result>(program: Program<Result>): Program<Result> {
    try {
      return yield* program;
    } catch (error) {
      throw this.told(error);
    }
  }

  /** An error of the code of a user's file, with its line; errors that say what the world did stay as they are. */
  told(error: unknown): unknown {
    if (this.file === undefined || error instanceof WorldError) return error;
    const message = error instanceof Error ? error.message : String(error);
    const line = lineOfFile(error, this.file);
    const place = line === undefined ? "" : ` at line ${line}`;
    return this.#error(`stopped on rank ${this.#options.rank}${place}: ${message}`);
  }

  #error(what: string): WorldError {
    const { pattern, place, phase, rank } = this.#options;
    const where = `${phase()} of layer ${place.layer}, micro-batch ${place.microBatch}, step ${place.step}`;
    return new WorldError("pattern", `pattern ${pattern} ${what} (${where})`, {
      ...(this.file === undefined ? {} : { file: this.file }),
      rank,
      next: "docs/patterns.md says what a pattern must do with every token and every message",
    });
  }
}
