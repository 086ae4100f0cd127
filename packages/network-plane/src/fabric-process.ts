// A set of ports and links as a logical process: a network plane, or the NVLink domain of a node.
// It expands shipments, moves each parcel from link to link, and delivers it. It carries the payload and never reads it.
// What it does with every parcel is compiled (kernels/fabric.ts); here is what it does once: its links, paths and exits.

import {
  checkedInstant,
  type Duration,
  type Instant,
  invariant,
  microseconds,
  mix32,
  NEVER,
} from "@windtunnel/base";
import { HOP_RECORD_BYTES, noRecorder, type Recorder } from "@windtunnel/trace";
import {
  type EventDigest,
  type HandedSlot,
  type LogicalProcess,
  type OwnEvents,
  type ProcessContext,
  type ProcessEvent,
  rankOfKey,
} from "@windtunnel/virtual-time";
import { type Exit, Exits } from "./exits.ts";
import {
  DRAFT_BYTES,
  FABRIC_BYTES,
  type FabricKernel,
  FIELDS,
  HANDED_BYTES,
  MOST_AT_ONCE,
  NUMBERS,
  SEEN_BYTES,
} from "./fabric-kernel.ts";
import type { LineMemory } from "./line-memory.ts";
import { type LinkOverrides, LinkTable } from "./links.ts";
import { NEXT_LINK, ORDER, type ParcelTable, STRIDE, TARGET, WORDS } from "./parcel-table.ts";
import { FABRIC_EVENTS, SharedBody, type Shipment } from "./parcels.ts";
import { Paths } from "./paths.ts";
import { slotStreams } from "./slots.ts";
import type { Topology } from "./topology.ts";

export interface FabricProcessOptions {
  readonly process: number;
  readonly topology: Topology;
  readonly overrides?: LinkOverrides;
  /** From the last link's end to the target's notice. */
  readonly endLatency: Duration;
  /** Asked once for each target and port. */
  readonly exitOf: (target: number, exitPort: number) => Exit;
  readonly recorder: Recorder;
  /** The host's. */
  readonly parcels: ParcelTable;
}

type Observe = Parameters<OwnEvents["runBefore"]>[4];

/** As in kernels/fabric.ts: chains of handovers; and a handover's order, by source and sequence. */
const HANDOVER_LANES = 64;
const SOURCE_LIMIT = 2 ** 14;
const SEQUENCE_LIMIT = 2 ** 38;

/** Of the records `Link`, `Chain` and `HeapEntry`. */
const LINK_STRIDE = 8;
const LINK = { latency: 0, picosecondsPerByte: 1, freeAt: 2, bytes: 3, longestWait: 4 } as const;
const CHAIN_BYTES = 8;
const HEAP_ENTRY_BYTES = 16;
const FIRST_LOOSE = 8;
/** So many parcels at the end of a shipment, and at least its last quarter, tell their targets when they can be there. */
const FEW = 32;
/** What is handed over so much later than now tells its target, too. */
const FAR = microseconds(20);
const NONE = -1;

export class FabricProcess implements LogicalProcess, OwnEvents {
  readonly #options: FabricProcessOptions;
  readonly #parcels: ParcelTable;
  readonly #memory: LineMemory;
  readonly #kernel: FabricKernel;
  readonly #links: LinkTable;
  readonly #paths: Paths;
  readonly #exits: Exits;
  /** Undefined where nothing is recorded. */
  readonly #recorder: Recorder | undefined;
  /** The kernel's record of this fabric, and where its numbers and fields begin. */
  readonly #address: number;
  readonly #numbers: number;
  readonly #fields: number;
  readonly #linkNumbers: number;
  /** Chains, with those that hold a parcel each. */
  #chainLimit: number;
  /** What is handed over next; one object for all. */
  readonly #handed: HandedRecord;
  /** Of the call that is under way. */
  #context: ProcessContext | undefined;
  #parcelCount = 0;

  constructor(options: FabricProcessOptions) {
    const { process, topology, overrides, parcels, recorder, exitOf, endLatency } = options;
    invariant(process < SOURCE_LIMIT, `process ${process}: fabrics are numbered below ${SOURCE_LIMIT}`);
    const { memory } = parcels;
    this.#options = options;
    this.#parcels = parcels;
    this.#memory = memory;
    this.#kernel = parcels.kernel;
    this.#recorder = recorder === noRecorder ? undefined : recorder;
    this.#links = new LinkTable(topology.links, overrides);
    this.#paths = new Paths(topology, memory);
    this.#exits = new Exits(memory, exitOf, endLatency, (each) => this.#kernel.addressOf(each));
    this.#address = memory.take(FABRIC_BYTES);
    this.#numbers = this.#address / 8;
    this.#fields = this.#address / 4;
    const links = memory.take(topology.links.length * LINK_STRIDE * 8);
    this.#linkNumbers = links / 8;
    for (let link = 0; link < topology.links.length; link++) {
      const at = this.#linkNumbers + link * LINK_STRIDE;
      memory.numbers[at + LINK.latency] = this.#links.latency[link]!;
      memory.numbers[at + LINK.picosecondsPerByte] = this.#links.picosecondsPerByte[link]!;
    }
    const chainCount = HANDOVER_LANES + topology.links.length;
    this.#chainLimit = chainCount;
    this.#set({
      process,
      hopKey: rankOfKey(FABRIC_EVENTS.hop, process),
      chainCount,
      links,
      hashesFlows: topology.hashesFlows === true ? 1 : 0,
      reroutes: topology.reroute === undefined ? 0 : 1,
      keepsHistory: parcels.keepsHistory ? 1 : 0,
      recordsHops: this.#recorder === undefined ? 0 : 1,
      handed: this.#kernel.handed,
      hopRecords: this.#kernel.hopRecords,
      seen: this.#kernel.seen,
      pool: parcels.slots.address,
      stream: slotStreams(memory, 1),
      laneStreams: slotStreams(memory, HANDOVER_LANES),
    });
    this.#addLoose(FIRST_LOOSE);
    this.#setTables();
    this.#kernel.add(process, this.#address, {
      path: (entryPort, exitPort, slot) => this.#findPath(entryPort, exitPort, slot),
      exit: (target, exitPort) => this.#findExit(target, exitPort),
      turn: (slot) => this.#turn(slot),
      moreLoose: () => this.#addLoose(this.#chainLimit),
      exhausted: () => {
        checkedInstant(Number.POSITIVE_INFINITY);
        invariant(false, "time is over");
      },
      early: (to, time, least) => {
        const what = `process ${process} hands a parcel to process ${to} in ${time} ps`;
        invariant(false, `${what}: that takes at least ${least} ps`);
      },
      late: (time) => {
        const passed = memory.numbers[this.#numbers + NUMBERS.passed];
        invariant(false, `event at ${time} ps for process ${process} arrived below the bound ${passed} ps`);
      },
    });
    this.#handed = new HandedRecord(memory);
  }

  /**
   * Bytes that entered this fabric; parcels that their senders handed to it, since a handover is no message of its own; and
   * how often a parcel went over a link.
   */
  get traffic(): { bytes: number; messages: number; linkEvents: number } {
    const bytes = this.#memory.numbers[this.#numbers + NUMBERS.bytes]!;
    const linkEvents = this.#memory.numbers[this.#numbers + NUMBERS.linkEvents]!;
    return { bytes, messages: this.#parcelCount, linkEvents };
  }

  /** As they are now. */
  get links(): LinkTable {
    const { numbers } = this.#memory;
    const { freeAt, bytes, longestWait } = this.#links;
    for (let link = 0; link < freeAt.length; link++) {
      const at = this.#linkNumbers + link * LINK_STRIDE;
      freeAt[link] = numbers[at + LINK.freeAt]!;
      bytes[link] = numbers[at + LINK.bytes]!;
      longestWait[link] = numbers[at + LINK.longestWait]!;
    }
    return this.#links;
  }

  handle({ kind, body }: ProcessEvent, context: ProcessContext): void {
    invariant(
      kind === FABRIC_EVENTS.shipment,
      "a fabric is sent shipments and handed parcels, and nothing else",
    );
    this.#context = context;
    const shipment = body as Shipment;
    const { targets, entryPorts, exitPorts, bytes, places, exchange, sentAt } = shipment;
    this.#parcelCount += targets.length;
    const letter = this.#parcels.open(shipment);
    const isShared = shipment.bodies instanceof SharedBody;
    const { functions, drafts } = this.#kernel;
    for (let from = 0; from < targets.length; from += MOST_AT_ONCE) {
      const count = Math.min(targets.length - from, MOST_AT_ONCE);
      const { words, numbers } = this.#memory;
      for (let index = 0; index < count; index++) {
        const at = drafts + index * DRAFT_BYTES;
        const place = from + index;
        words[at >>> 2] = targets[place]!;
        words[(at >>> 2) + 1] = entryPorts[place]!;
        words[(at >>> 2) + 2] = exitPorts[place]!;
        numbers[(at >>> 3) + 2] = bytes[places === undefined ? place : places[place]!]!;
      }
      const place = isShared ? NONE : from;
      functions.ship(this.#address, drafts, count, exchange, letter, place, context.now, sentAt);
      // A tail is not at its target before it has left its first link; the last ones are latest.
      const first = context.announces ? Math.min(count - FEW, (count * 3) >> 2) : count;
      for (let index = Math.max(0, first); index < count; index++) {
        const tailAt = this.#memory.numbers[(drafts + index * DRAFT_BYTES) / 8 + 3]!;
        context.sharpen(targets[from + index]!, exchange, tailAt);
      }
      this.#handOn(context, undefined);
    }
  }

  /** Its hops and what other fabrics hand over: it knows in which order they come. */
  get own(): OwnEvents {
    return this;
  }

  get count(): number {
    return this.#memory.numbers[this.#numbers + NUMBERS.events]!;
  }

  get earliestTime(): number {
    const { words, numbers } = this.#memory;
    return words[this.#fields + FIELDS.heads] === 0
      ? NEVER
      : numbers[words[this.#fields + FIELDS.heap]! >>> 3]!;
  }

  take(slot: number, lane: number, source: number, sequence: number): void {
    this.#memory.numbers[slot * STRIDE + ORDER] = source * SEQUENCE_LIMIT + sequence;
    this.#kernel.functions.take(this.#address, slot, lane);
  }

  runBefore(end: number, most: number, context: ProcessContext, digest: EventDigest, observe: Observe): void {
    this.#context = context;
    const fields = this.#fields;
    this.#memory.words[fields + FIELDS.digestLow] = digest.low;
    this.#memory.words[fields + FIELDS.digestHigh] = digest.high;
    this.#memory.words[fields + FIELDS.digestCount] = 0;
    this.#memory.words[fields + FIELDS.isSeen] = observe === undefined ? 0 : 1;
    // Whoever observes sees an event before what follows from it.
    const atOnce = observe === undefined ? MOST_AT_ONCE : 1;
    for (let left = most; left > 0;) {
      const handled = this.#kernel.functions.run(this.#address, end, Math.min(left, atOnce));
      if (handled === 0) break;
      this.#handOn(context, observe);
      left -= handled;
    }
    const { words } = this.#memory;
    digest.goOn(
      words[fields + FIELDS.digestLow]!,
      words[fields + FIELDS.digestHigh]!,
      words[fields + FIELDS.digestCount]!,
    );
  }

  /** Passes on what the kernel has written down. */
  #handOn(context: ProcessContext, observe: Observe): void {
    if (observe !== undefined) this.#show(observe);
    if (this.#recorder !== undefined) this.#record(this.#recorder);
    const handed = this.#handed;
    const count = this.#memory.words[this.#fields + FIELDS.handedCount]!;
    this.#memory.words[this.#fields + FIELDS.handedCount] = 0;
    for (let index = 0; index < count; index++) {
      handed.address = this.#kernel.handed + index * HANDED_BYTES;
      if (handed.kind !== FABRIC_EVENTS.delivery) {
        // Behind a queue on its last link it is known long before.
        if (context.announces && handed.time - handed.sentAt > FAR) {
          const target = this.#memory.words[handed.slot * WORDS + TARGET]!;
          context.sharpen(target, handed.exchange, handed.time);
        }
        context.hand(handed);
        continue;
      }
      const { slot, letter, exchange } = handed;
      const source = this.#parcels.sourceOfLetter(letter);
      if (slot === NONE) this.#parcels.settled(letter);
      else if (this.#parcels.keepsHistory && context.isHere(handed.target))
        handed.slot = this.#parcels.settle(slot, handed.target);
      context.handPart(handed, exchange, source);
    }
  }

  #record(recorder: Recorder): void {
    const { words, bytes } = this.#memory;
    const { hopRecords } = this.#kernel;
    const count = words[this.#fields + FIELDS.hopRecordCount]!;
    words[this.#fields + FIELDS.hopRecordCount] = 0;
    // The kernel knows a parcel's letter, and the letter its source.
    for (let index = 0; index < count; index++) {
      const at = ((hopRecords + index * HOP_RECORD_BYTES) >>> 2) + 1;
      words[at] = this.#parcels.sourceOfLetter(words[at]!);
    }
    recorder.hops(bytes, hopRecords, count);
  }

  #show(observe: NonNullable<Observe>): void {
    const { words, numbers } = this.#memory;
    const count = words[this.#fields + FIELDS.seenCount]!;
    words[this.#fields + FIELDS.seenCount] = 0;
    for (let index = 0; index < count; index++) {
      const at = (this.#kernel.seen + index * SEEN_BYTES) / 8;
      observe(numbers[at]! as Instant, numbers[at + 1]!, numbers[at + 2]!, numbers[at + 3]!);
    }
  }

  #findPath(entryPort: number, exitPort: number, slot: number): number {
    const target = this.#memory.words[slot * WORDS + TARGET]!;
    const found = this.#paths.find(entryPort, exitPort, flowOf(this.#parcels.sourceOf(slot), target));
    this.#setTables();
    return found;
  }

  #findExit(target: number, exitPort: number): number {
    const context = this.#context!;
    const address = this.#exits.add(
      target,
      exitPort,
      (process) => !this.#parcels.keepsHistory && context.isHere(process),
      (process) => context.latencyTo(process),
    );
    this.#setTables();
    return address;
  }

  /** At the second link of its path a parcel may go another way. */
  #turn(slot: number): void {
    const at = slot * WORDS + NEXT_LINK;
    const { reroute } = this.#options.topology;
    invariant(reroute !== undefined, "only a topology that reroutes is asked for another way");
    const turned = this.#paths.turn(this.#memory.words[at]! - 1, (path) => reroute(path, this.links));
    this.#setTables();
    this.#memory.words[at] = turned + 1;
  }

  /** Where paths and exits stand may have changed. */
  #setTables(): void {
    const { table: paths } = this.#paths;
    const { table: exits } = this.#exits;
    this.#set({
      paths: this.#paths.address,
      pathsByEntry: paths.address,
      entryLimit: paths.rowLimit,
      exitLimit: paths.columnLimit,
      exitsByPort: exits.address,
      exitPortLimit: exits.rowLimit,
      targetLimit: exits.columnLimit,
    });
  }

  /** Further chains that hold a parcel each. */
  #addLoose(count: number): void {
    const memory = this.#memory;
    const before = this.#chainLimit;
    const limit = before + count;
    const isFirst = this.#field("chains") === 0;
    const longer = (from: number, bytes: number): number => {
      const to = memory.take(limit * bytes);
      if (!isFirst) memory.words.copyWithin(to / 4, from / 4, (from + before * bytes) / 4);
      return to;
    };
    const heap = longer(this.#field("heap"), HEAP_ENTRY_BYTES);
    const chains = longer(this.#field("chains"), CHAIN_BYTES);
    const loose = memory.take(limit * 4);
    memory.words.fill(NONE, chains / 4 + (isFirst ? 0 : 2 * before), chains / 4 + 2 * limit);
    for (let index = 0; index < count; index++) memory.words[loose / 4 + index] = before + index;
    this.#chainLimit = limit;
    this.#set({ heap, chains, loose, looseCount: count });
  }

  #field(field: keyof typeof FIELDS): number {
    return this.#memory.words[this.#fields + FIELDS[field]]!;
  }

  #set(values: Partial<Record<keyof typeof FIELDS, number>>): void {
    for (const [field, value] of Object.entries(values))
      this.#memory.words[this.#fields + FIELDS[field as keyof typeof FIELDS]] = value;
  }
}

/** A record `Handed` as whoever takes it over reads it: numbers that stood in an object would be objects themselves. */
class HandedRecord implements HandedSlot {
  address = 0;
  readonly #memory: LineMemory;

  constructor(memory: LineMemory) {
    this.#memory = memory;
  }

  get slot(): number {
    return this.#memory.words[this.address >>> 2]!;
  }

  set slot(slot: number) {
    this.#memory.words[this.address >>> 2] = slot;
  }

  get kind(): number {
    const isDelivery = this.#memory.words[(this.address >>> 2) + 1] === 1;
    return isDelivery ? FABRIC_EVENTS.delivery : FABRIC_EVENTS.handover;
  }

  get target(): number {
    return this.#memory.words[(this.address >>> 2) + 2]!;
  }

  get lane(): number {
    return this.#memory.words[(this.address >>> 2) + 3]!;
  }

  get sentAt(): Instant {
    return this.#memory.numbers[(this.address >>> 3) + 2]! as Instant;
  }

  get time(): Instant {
    return this.#memory.numbers[(this.address >>> 3) + 3]! as Instant;
  }

  get sequence(): number {
    return this.#memory.numbers[(this.address >>> 3) + 4]!;
  }

  get size(): number {
    return this.#memory.numbers[(this.address >>> 3) + 5]!;
  }

  get exchange(): number {
    return this.#memory.numbers[(this.address >>> 3) + 6]!;
  }

  get letter(): number {
    return this.#memory.words[(this.address >>> 2) + 14]!;
  }
}

/** One queue pair for each ordered pair of ranks. */
function flowOf(source: number, target: number): number {
  return mix32(source) ^ (target + 1);
}
