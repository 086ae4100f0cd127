// Where parcels go from a fabric process, by target and exit port, as packed numbers: each is asked for once.

import type { Duration } from "@windtunnel/base";

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

/** Numbers of an exit. */
export const EXIT_STRIDE = 8;
export const PROCESS = 0;
export const LATENCY = 1;
export const HANDING = 2;
export const ONWARD_ENTRY = 3;
export const ONWARD_EXIT = 4;

/** What is handed: a delivery to its rank; a parcel to another fabric, with its tail or with its head. */
export const HANDINGS = { delivery: 0, tail: 1, head: 2 } as const;

export class Exits {
  readonly #exitOf: (target: number, exitPort: number) => Exit;
  readonly #endLatency: Duration;
  /** [exits · EXIT_STRIDE] */
  numbers: Float64Array = new Float64Array(8 * EXIT_STRIDE);
  #count = 0;
  /** By exit port, then target: where its numbers stand, plus one; 0 where it is not known yet. */
  readonly #byPort: (Int32Array | undefined)[] = [];

  constructor(exitOf: (target: number, exitPort: number) => Exit, endLatency: Duration) {
    this.#exitOf = exitOf;
    this.#endLatency = endLatency;
  }

  /** Where the numbers of an exit stand. */
  at(target: number, exitPort: number): number {
    const ofPort = this.#byPort[exitPort];
    const known = ofPort === undefined || target >= ofPort.length ? 0 : ofPort[target]!;
    return known > 0 ? known - 1 : this.#add(target, exitPort);
  }

  #add(target: number, exitPort: number): number {
    const { process, onward, latency = this.#endLatency } = this.#exitOf(target, exitPort);
    const at = this.#count++ * EXIT_STRIDE;
    if (at === this.numbers.length) {
      const numbers = new Float64Array(2 * at);
      numbers.set(this.numbers);
      this.numbers = numbers;
    }
    const { delivery, tail, head } = HANDINGS;
    const handing = onward === undefined ? delivery : onward.headFirst === true ? head : tail;
    const [entry, exit] = [onward?.entryPort ?? 0, onward?.exitPort ?? 0];
    this.numbers.set([process, latency, handing, entry, exit], at);
    const before = this.#byPort[exitPort] ?? new Int32Array(0);
    let ofPort = before;
    if (target >= before.length) {
      ofPort = new Int32Array(Math.max(16, 2 * (target + 1)));
      ofPort.set(before);
      this.#byPort[exitPort] = ofPort;
    }
    ofPort[target] = at + 1;
    return at;
  }
}
