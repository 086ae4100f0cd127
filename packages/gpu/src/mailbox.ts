// What has arrived at a GPU: opens an exchange's messages by source, writes them down, and frees their slots.

import { type Instant, invariant, RUN_START } from "@windtunnel/base";
import type { ParcelTable } from "@windtunnel/network-plane";
import {
  encodeMessageHead,
  type MessageRecord,
  noRecorder,
  type Phase,
  type Place,
  type Recorder,
} from "@windtunnel/trace";
import type { GatheredParts } from "@windtunnel/virtual-time";
import type { Dependency } from "./streams.ts";

/** What all messages of a sending carry beside their contents. */
export interface ExchangeHeader extends Place {
  readonly phase: Phase;
  readonly sendSpan: number;
  readonly sendStart: Instant;
}

/** How the records of a sending's messages begin, for a `ParcelTable`. */
export function encodeExchangeHead(view: DataView, at: number, header: unknown, source: number): void {
  encodeMessageHead(view, at, { ...(header as ExchangeHeader), source });
}

/** The messages of an exchange: ranks that sent, ascending, and what each of them sent. */
export interface OpenedMessages extends Dependency {
  readonly sources: readonly number[];
  readonly bodies: readonly unknown[];
  /** Set in place of `bodies` where each source sent the same to all its targets: what it sent, by source. */
  readonly sharedBodies: readonly unknown[] | undefined;
}

const NONE = -1;

/** Parts by source while an exchange is opened; all `NONE` in between. */
let partOfSource = new Int32Array(0);
/** Where their records stand, as far as they are written together. */
let recordPlaces = new Int32Array(0);

export class Mailbox {
  readonly #rank: number;
  readonly #parcels: ParcelTable;
  /** Undefined where nothing is recorded. */
  readonly #recorder: Recorder | undefined;
  /** What is written down next; one object for all. */
  readonly #message: { -readonly [Key in keyof MessageRecord]: MessageRecord[Key] } = {
    step: 0,
    layer: 0,
    microBatch: 0,
    phase: "dispatch",
    source: 0,
    sendSpan: 0,
    sendStart: RUN_START,
    sentAt: RUN_START,
    arrivedAt: RUN_START,
    bytes: 0,
    queued: 0,
    portQueued: 0,
    relayed: 0,
    transfer: 0,
    slowestProcess: 0,
    slowestLink: 0,
    limitingProcess: 0,
    limitingLink: 0,
  };

  constructor(rank: number, parcels: ParcelTable, recorder: Recorder) {
    this.#rank = rank;
    this.#parcels = parcels;
    this.#recorder = recorder === noRecorder ? undefined : recorder;
  }

  /** `expected`: the sources that were waited for, ascending; all `parts` are there. */
  open(exchange: number, expected: readonly number[], parts: GatheredParts): OpenedMessages {
    const parcels = this.#parcels;
    for (let part = 0; part < parts.count; part++) {
      const source = parts.labelOf(part);
      if (source >= partOfSource.length) growSources(source);
      if (partOfSource[source] !== NONE) this.#refuseTwice(exchange, source);
      partOfSource[source] = part;
    }
    const sources = isOf(expected, parts) ? expected : sourcesOf(parts).toSorted((a, b) => a - b);
    const sharedBodies = parcels.takeSharedBodies(exchange, parts.count);
    const bodies: unknown[] = [];
    let recorded = 0;
    const writeRecords = (): void => {
      const places = recordPlaces.subarray(0, recorded);
      if (recorded > 0) parcels.writeRecords(this.#recorder!, this.#rank, exchange, places);
      recorded = 0;
    };
    for (const source of sources) {
      const slot = parts.slotOf(partOfSource[source]!);
      partOfSource[source] = NONE;
      if (slot < 0) {
        // Its parcel was settled on arrival.
        const place = parcels.recordOf(slot);
        if (place !== undefined) recordPlaces[recorded++] = place;
        continue;
      }
      writeRecords();
      if (sharedBodies === undefined) bodies.push(parcels.bodyOf(slot));
      if (this.#recorder !== undefined) this.#record(slot, this.#recorder);
      parcels.free(slot);
    }
    writeRecords();
    parcels.closeRecords(this.#rank, exchange);
    const { latest: at, latestLabel: rank } = parts;
    return {
      at,
      cause: rank === NONE ? { kind: "stream" } : { kind: "message", rank },
      sources,
      bodies,
      sharedBodies,
    };
  }

  sourcesOf(parts: GatheredParts): ReadonlySet<number> {
    return new Set(sourcesOf(parts));
  }

  #record(slot: number, recorder: Recorder): void {
    const message = this.#message;
    const header = this.#parcels.headerOf(slot) as ExchangeHeader;
    message.step = header.step;
    message.layer = header.layer;
    message.microBatch = header.microBatch;
    message.phase = header.phase;
    message.sendSpan = header.sendSpan;
    message.sendStart = header.sendStart;
    this.#parcels.read(slot, message);
    recorder.message(message);
  }

  #refuseTwice(exchange: number, source: number): never {
    partOfSource.fill(NONE);
    invariant(false, `rank ${this.#rank} got two parcels of exchange ${exchange} from rank ${source}`);
  }
}

/** Whether `partOfSource` has a part for each of these sources, and for no other. */
function isOf(expected: readonly number[], parts: GatheredParts): boolean {
  if (parts.count !== expected.length) return false;
  for (const source of expected) if ((partOfSource[source] ?? NONE) === NONE) return false;
  return true;
}

function sourcesOf(parts: GatheredParts): number[] {
  return Array.from({ length: parts.count }, (_, part) => parts.labelOf(part));
}

function growSources(source: number): void {
  const larger = new Int32Array(Math.max(64, 2 * (source + 1))).fill(NONE);
  larger.set(partOfSource);
  partOfSource = larger;
  recordPlaces = new Int32Array(larger.length);
}
