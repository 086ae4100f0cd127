// The paths of a fabric process as one list of links, so that a parcel knows its way by a number: where its next link stands.
// Each path is asked for once, where it depends on the ports alone.

import type { Topology } from "./topology.ts";

/** Behind the last link of a path. */
export const END_OF_PATH = -1;

export class Paths {
  readonly #topology: Topology;
  #links: Int32Array = new Int32Array(256);
  #length = 0;
  /** By entry port, then exit port: where a path begins, plus one; 0 where it is not known yet. */
  readonly #byPorts: (Int32Array | undefined)[] = [];
  /** Where paths depend on more than ports: by the links themselves, and turned ones by the path and the second link. */
  readonly #byLinks = new Map<string, number>();
  readonly #turned = new Map<number, number>();
  /** Paths that may be turned, by where they begin. */
  readonly #turning = new Map<number, readonly number[]>();

  constructor(topology: Topology) {
    this.#topology = topology;
  }

  /** Links of all paths known so far, each path followed by `END_OF_PATH`. */
  get links(): Int32Array {
    return this.#links;
  }

  /** Where the path of a flow begins. */
  begin(entryPort: number, exitPort: number, flow: number): number {
    const { pathOf, hashesFlows = false } = this.#topology;
    if (hashesFlows) return this.#keep(pathOf(entryPort, exitPort, flow));
    const exits = this.#exitsOf(entryPort, exitPort);
    const known = exits[exitPort]!;
    if (known > 0) return known - 1;
    const begin = this.#append(pathOf(entryPort, exitPort, flow));
    exits[exitPort] = begin + 1;
    return begin;
  }

  /** Whether the second link of a path stands there. */
  isSecond(at: number): boolean {
    return at === 1 || (at > 1 && this.#links[at - 2] === END_OF_PATH);
  }

  /** Another path in place of the one that begins at `begin`, the same up to its first link; where it begins. */
  turn(begin: number, reroute: (path: readonly number[]) => readonly number[]): number {
    // Within a leaf there is one way only.
    if (this.#links[begin + 2] === END_OF_PATH) return begin;
    let path = this.#turning.get(begin);
    if (path === undefined) {
      path = [...this.#links.subarray(begin, this.#links.indexOf(END_OF_PATH, begin))];
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

  #exitsOf(entryPort: number, exitPort: number): Int32Array {
    const known = this.#byPorts[entryPort];
    if (known !== undefined && exitPort < known.length) return known;
    const exits = new Int32Array(Math.max(exitPort + 1, 2 * (known?.length ?? 4)));
    if (known !== undefined) exits.set(known);
    this.#byPorts[entryPort] = exits;
    return exits;
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
    if (end > this.#links.length) {
      const links = new Int32Array(2 * Math.max(end, this.#links.length));
      links.set(this.#links);
      this.#links = links;
    }
    this.#links.set(path, begin);
    this.#links[end - 1] = END_OF_PATH;
    this.#length = end;
    return begin;
  }
}
