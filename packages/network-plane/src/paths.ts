// The paths of a fabric process as one list of links in its memory, so that a parcel knows its way by a number: where its next
// link stands. Each path is asked for once, where it depends on the ports alone.

import { type LineMemory, WordTable } from "./line-memory.ts";
import type { Topology } from "./topology.ts";

/** Behind the last link of a path. */
export const END_OF_PATH = -1;

export class Paths {
  /** By entry port, then exit port: as `find` gives it; 0 where it is not known yet, or depends on more than the ports. */
  readonly table: WordTable;
  readonly #memory: LineMemory;
  readonly #topology: Topology;
  /** Where the list stands. */
  address: number;
  #limit = 256;
  #length = 0;
  /** Where paths depend on more than ports: by the links themselves, and turned ones by the path and the second link. */
  readonly #byLinks = new Map<string, number>();
  readonly #turned = new Map<number, number>();
  /** Paths that may be turned, by where they begin. */
  readonly #turning = new Map<number, readonly number[]>();

  constructor(topology: Topology, memory: LineMemory) {
    this.#topology = topology;
    this.#memory = memory;
    this.table = new WordTable(memory);
    this.address = memory.take(this.#limit * 4);
  }

  /** Twice the place where the path of a flow begins, plus 1 if it counts in the traffic, plus 1. */
  find(entryPort: number, exitPort: number, flow: number): number {
    const { pathOf, hashesFlows = false, carries } = this.#topology;
    const path = pathOf(entryPort, exitPort, flow);
    const counts = carries === undefined || carries(entryPort, exitPort);
    const begin = hashesFlows ? this.#keep(path) : this.#append(path);
    const found = 2 * begin + (counts ? 1 : 0) + 1;
    if (!hashesFlows) this.table.set(entryPort, exitPort, found);
    return found;
  }

  /** Another path in place of the one that begins at `begin`, the same up to its first link; where it begins. */
  turn(begin: number, reroute: (path: readonly number[]) => readonly number[]): number {
    // Within a leaf there is one way only.
    if (this.#at(begin + 2) === END_OF_PATH) return begin;
    let path = this.#turning.get(begin);
    if (path === undefined) {
      const first = this.address / 4;
      const end = this.#memory.words.indexOf(END_OF_PATH, first + begin);
      path = [...this.#memory.words.subarray(first + begin, end)];
      this.#turning.set(begin, path);
    }
    const other = reroute(path);
    const name = begin * 2 ** 21 + other[1]!;
    const known = this.#turned.get(name);
    if (known !== undefined) return known;
    const turned = this.#append(other);
    this.#turned.set(name, turned);
    return turned;
  }

  #at(place: number): number {
    return this.#memory.words[this.address / 4 + place]!;
  }

  #keep(path: readonly number[]): number {
    const name = path.join();
    const known = this.#byLinks.get(name);
    if (known !== undefined) return known;
    const begin = this.#append(path);
    this.#byLinks.set(name, begin);
    return begin;
  }

  #append(path: readonly number[]): number {
    const begin = this.#length;
    const end = begin + path.length + 1;
    if (end > this.#limit) {
      this.#limit = 2 * Math.max(end, this.#limit);
      const moved = this.#memory.take(this.#limit * 4);
      const before = this.address / 4;
      this.#memory.words.copyWithin(moved / 4, before, before + begin);
      this.address = moved;
    }
    const first = this.address / 4;
    this.#memory.words.set(path, first + begin);
    this.#memory.words[first + end - 1] = END_OF_PATH;
    this.#length = end;
    return begin;
  }
}
