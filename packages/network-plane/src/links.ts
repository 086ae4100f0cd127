// The links of one fabric process as a table in packed arrays, and the arithmetic of a parcel on a link.
// Invariant: a link's bytes never overlap; its `freeAt` only grows.

import { type Duration, inputError, picoseconds, PICOSECONDS_PER_SECOND } from "@windtunnel/base";

export interface LinkDescription {
  /** Directed: "plane 3 / leaf 0 > spine 5". */
  readonly name: string;
  /** Both directions of one cable share this name, which overrides use: "plane 3 / leaf 0 - spine 5". */
  readonly cable: string;
  readonly bytesPerSecond: number;
  /** From a byte's start on the link to its start on the next one, switch included. */
  readonly latency: Duration;
}

/** Slower or faster cables, as factors of their bandwidth, by cable name. */
export type LinkOverrides = Readonly<Record<string, { readonly bandwidth: number }>>;

export class LinkTable {
  readonly names: readonly string[];
  readonly latency: Float64Array;
  readonly picosecondsPerByte: Float64Array;
  readonly freeAt: Float64Array;
  readonly bytes: Float64Array;
  /** The longest time that a parcel waited for a link, in picoseconds. */
  readonly longestWait: Float64Array;

  constructor(links: readonly LinkDescription[], overrides: LinkOverrides = {}) {
    this.names = links.map(({ name }) => name);
    this.latency = Float64Array.from(links, ({ latency }) => latency);
    this.picosecondsPerByte = Float64Array.from(links, ({ bytesPerSecond, cable, latency, name }) => {
      const bandwidth = bytesPerSecond * (overrides[cable]?.bandwidth ?? 1);
      if (!(bandwidth > 0) || !Number.isFinite(bandwidth) || !(latency > 0)) {
        throw inputError(
          `link "${name}" needs a bandwidth above zero, not infinite, and a latency above zero`,
          {
            path: "overrides.links",
            found: `${bandwidth} bytes/s, ${latency} ps`,
            allowed: "a bandwidth above zero and not infinite, a latency above zero",
          },
        );
      }
      return PICOSECONDS_PER_SECOND / bandwidth;
    });
    this.freeAt = new Float64Array(links.length);
    this.bytes = new Float64Array(links.length);
    this.longestWait = new Float64Array(links.length);
  }

  /** How long `bytes` take on a link of their own. */
  transferTime(link: number, bytes: number): Duration {
    return picoseconds(bytes * this.picosecondsPerByte[link]!);
  }

  /** The most bytes that stood in front of a link when a parcel came to it. */
  peakQueueBytes(link: number): number {
    return this.longestWait[link]! / this.picosecondsPerByte[link]!;
  }

  /**
   * Sends a parcel over a link: its head is there at `headAt`, its tail at `tailAt`.
   * Returns the start; the end is then `freeAt[link]`.
   */
  occupy(link: number, bytes: number, headAt: number, tailAt: number): number {
    const freeAt = this.freeAt[link]!;
    const start = headAt > freeAt ? headAt : freeAt;
    if (start - headAt > this.longestWait[link]!) this.longestWait[link] = start - headAt;
    const end = start + this.transferTime(link, bytes);
    this.freeAt[link] = end > tailAt ? end : tailAt;
    this.bytes[link] = this.bytes[link]! + bytes;
    return start;
  }
}
