// The compiled fabric: kernels/fabric.wasm, compiled once per thread, and once instantiated over each host's memory.

import { readFileSync } from "node:fs";
import { WorldError } from "@windtunnel/base";
import { HOP_RECORD_BYTES } from "@windtunnel/trace";
import type { LineMemory } from "./line-memory.ts";
import type { Slots } from "./slots.ts";

type Address = number;

/** The exports of kernels/fabric.ts. */
export interface FabricFunctions {
  ship(
    of: Address,
    drafts: Address,
    count: number,
    exchange: number,
    letter: number,
    place: number,
    now: number,
    sentAt: number,
  ): void;
  take(fabric: Address, slot: number, lane: number): void;
  takeSlot(pool: Address, stream: Address): number;
  releaseSlot(pool: Address, slot: number): void;
  run(fabric: Address, end: number, most: number): number;
  file(slot: number, head: Address, to: Address): void;
  collect(order: Address, count: number, from: Address, to: Address): void;
}

/** What the kernel asks of a fabric. */
export interface FabricQuestions {
  path(entryPort: number, exitPort: number, slot: number): number;
  exit(target: number, exitPort: number): Address;
  turn(slot: number): void;
  moreLoose(): void;
  exhausted(): never;
  late(time: number): never;
  early(process: number, time: number, least: number): never;
}

/** The record `Fabric` of kernels/records.ts: its bytes, and where its fields stand in numbers of 8 and of 4 bytes. */
export const FABRIC_BYTES = 192;
export const NUMBERS = { now: 0, hops: 1, events: 2, linkEvents: 3, bytes: 4, passed: 6 } as const;
export const FIELDS = {
  digestLow: 14,
  digestHigh: 15,
  digestCount: 16,
  process: 17,
  hopKey: 18,
  heads: 19,
  chainCount: 20,
  looseCount: 21,
  heap: 22,
  chains: 23,
  loose: 24,
  links: 25,
  paths: 26,
  pathsByEntry: 27,
  entryLimit: 28,
  exitLimit: 29,
  exitsByPort: 30,
  exitPortLimit: 31,
  targetLimit: 32,
  hashesFlows: 33,
  reroutes: 34,
  keepsHistory: 35,
  handed: 36,
  handedCount: 37,
  hopRecords: 38,
  hopRecordCount: 39,
  seen: 40,
  seenCount: 41,
  recordsHops: 42,
  isSeen: 43,
  pool: 44,
  stream: 45,
  laneStreams: 46,
} as const;

/** Events that one call of the kernel handles at most, since it writes down so many hops and parcels that leave. */
export const MOST_AT_ONCE = 256;
/** Of the records `Draft`, `Handed` and `Seen`. */
export const DRAFT_BYTES = 32;
export const HANDED_BYTES = 64;
export const SEEN_BYTES = 32;

const KERNEL = new URL("../kernels/fabric.wasm", import.meta.url);
let compiled: WebAssembly.Module | undefined;

/** The kernel over the memory of a host, and what it writes for whoever calls: shared by the fabrics of the host. */
export class FabricKernel {
  readonly functions: FabricFunctions;
  readonly drafts: Address;
  readonly handed: Address;
  readonly hopRecords: Address;
  readonly seen: Address;
  /** By process. */
  readonly #addresses = new Map<number, Address>();
  readonly #fabrics = new Map<Address, FabricQuestions>();

  constructor(memory: LineMemory, slots: Slots) {
    const asked = (address: Address): FabricQuestions => this.#fabrics.get(address)!;
    compiled ??= new WebAssembly.Module(readKernel());
    const fabric = {
      path: (of: Address, entryPort: number, exitPort: number, slot: number): number =>
        asked(of).path(entryPort, exitPort, slot),
      exitOf: (of: Address, target: number, exitPort: number): Address => asked(of).exit(target, exitPort),
      turn: (of: Address, slot: number): void => asked(of).turn(slot),
      exhausted: (of: Address): never => asked(of).exhausted(),
      early: (of: Address, process: number, time: number, least: number): never =>
        asked(of).early(process, time, least),
      late: (of: Address, time: number): never => asked(of).late(time),
    };
    const queue = { moreLoose: (of: Address): void => asked(of).moreLoose() };
    const ofSlots = { moreChunks: (): void => slots.addChunks() };
    const imports = { env: { memory: memory.memory }, fabric, queue, slots: ofSlots };
    const instance = new WebAssembly.Instance(compiled, imports);
    this.functions = instance.exports as unknown as FabricFunctions;
    this.drafts = memory.take(MOST_AT_ONCE * DRAFT_BYTES);
    this.handed = memory.take(MOST_AT_ONCE * HANDED_BYTES);
    this.hopRecords = memory.take(MOST_AT_ONCE * HOP_RECORD_BYTES);
    this.seen = memory.take(MOST_AT_ONCE * SEEN_BYTES);
  }

  add(process: number, fabric: Address, questions: FabricQuestions): void {
    this.#addresses.set(process, fabric);
    this.#fabrics.set(fabric, questions);
  }

  /** Of a fabric of this host; 0: the process is none. */
  addressOf(process: number): Address {
    return this.#addresses.get(process) ?? 0;
  }
}

/** Throws a WorldError "input" when it has not been built. */
function readKernel(): Uint8Array {
  try {
    return readFileSync(KERNEL);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    throw new WorldError("input", "the WebAssembly kernels are not built; run `npx turbo run kernels`", {
      file: KERNEL.pathname,
    });
  }
}
