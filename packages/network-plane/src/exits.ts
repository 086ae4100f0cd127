// Where parcels go from a fabric process, by target and exit port, in the fabric's memory: each is asked for once.

import type { Duration } from "@windtunnel/base";
import { type LineMemory, WordTable } from "./line-memory.ts";

/** Where a parcel goes from this fabric: to its rank, or into another fabric at a port. */
export interface Exit {
  readonly process: number;
  /** Set when the process is another fabric, which takes the parcel in at one port and gives it out at the other. */
  readonly onward?: {
    readonly entryPort: number;
    readonly exitPort: number;
    /** Handed over when its head leaves, its tail still coming; otherwise when its tail leaves. */
    readonly headFirst?: true;
  };
  /** From the last link's end to there, where it is not the fabric's end latency. */
  readonly latency?: Duration;
}

/** What is handed: a delivery to its rank; a parcel to another fabric, with its tail or with its head. */
const HANDINGS = { delivery: 0, tail: 1, head: 2 } as const;
/** Of the record `Exit` in kernels/records.ts. */
const EXIT_BYTES = 40;

export class Exits {
  readonly table: WordTable;
  readonly #memory: LineMemory;
  readonly #exitOf: (target: number, exitPort: number) => Exit;
  readonly #endLatency: Duration;
  readonly #addressOf: (process: number) => number;

  /** `addressOf`: of the fabrics of this host; 0 for other processes. */
  constructor(
    memory: LineMemory,
    exitOf: (target: number, exitPort: number) => Exit,
    endLatency: Duration,
    addressOf: (process: number) => number,
  ) {
    this.#addressOf = addressOf;
    this.table = new WordTable(memory);
    this.#memory = memory;
    this.#exitOf = exitOf;
    this.#endLatency = endLatency;
  }

  /** The address of an exit that is not known yet. `settles`: nothing is needed there of a parcel that carries what all do. */
  add(
    target: number,
    exitPort: number,
    settles: (process: number) => boolean,
    latencyTo: (process: number) => number,
  ): number {
    const { process, onward, latency = this.#endLatency } = this.#exitOf(target, exitPort);
    const { delivery, tail, head } = HANDINGS;
    const handing = onward === undefined ? delivery : onward.headFirst === true ? head : tail;
    const address = this.#memory.take(EXIT_BYTES);
    const { words, numbers } = this.#memory;
    words.set([process, handing, onward?.entryPort ?? 0, onward?.exitPort ?? 0], address / 4);
    numbers[address / 8 + 2] = latency;
    numbers[address / 8 + 3] = latencyTo(process);
    words[address / 4 + 8] = onward === undefined ? 0 : this.#addressOf(process);
    words[address / 4 + 9] = onward === undefined && settles(process) ? 1 : 0;
    this.table.set(exitPort, target, address);
    return address;
  }
}
