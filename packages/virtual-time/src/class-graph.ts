// Processes belong to classes; the graph says which class may send to which, and how long that takes at least.

import type { Duration } from "@windtunnel/base";

export interface ClassGraph {
  readonly names: readonly string[];
  /** latency[from][to]: the least time from sending to arrival; undefined where nothing is ever sent. */
  readonly latency: readonly (readonly (Duration | undefined)[])[];
  /**
   * Classes that only hand on what they were sent, as a network does; none unless given. Whoever sends parts of a gather that
   * way announces them at once: what is handed on later is no news.
   */
  readonly carriers?: readonly boolean[];
  /** Whether a process of one class and those of the other that it sends to are always on one host; never unless given. */
  readonly staysOnHost?: (from: number, to: number) => boolean;
  /**
   * Whether the only process of class `by` sends nothing more before every process of class `of` has answered what it sent last;
   * never unless given.
   */
  readonly awaitsAll?: (by: number, of: number) => boolean;
}
