// Records of messages whose parcels nobody needs any more: written when a parcel arrives, while its row and history are at hand,
// and kept side by side for each target and exchange until the target opens it and writes them down in its own order.

import { MESSAGE_RECORD_BYTES, type Recorder } from "@windtunnel/trace";
import type { FabricFunctions } from "./fabric-kernel.ts";
import type { LineMemory } from "./line-memory.ts";

/** Writes what records of a sending have in common, as `encodeMessageHead` does; `header`: of the sending. */
export type EncodeHead = (view: DataView, at: number, header: unknown, source: number) => void;

/** Room for a head: a cache line. */
const HEAD_ROOM = 64;
const FIRST_LETTERS = 64;
const FIRST_RECORDS = 32;

/** Records of one target and exchange, in the order in which its parcels arrived. */
interface Sheet {
  exchange: number;
  address: number;
  count: number;
  capacity: number;
}

export class ArrivalRecords {
  readonly #memory: LineMemory;
  readonly #functions: FabricFunctions;
  readonly #encodeHead: EncodeHead;
  /** Of letters, by their number. */
  #heads = 0;
  #headLimit = 0;
  #view: DataView;
  /** By target; a target has few at a time. */
  readonly #open: (Sheet[] | undefined)[] = [];
  readonly #spare: Sheet[] = [];
  /** Places in order, and the records in that order, for a call of `write`. */
  #order = 0;
  #ordered = 0;
  #orderedLimit = 0;

  constructor(memory: LineMemory, functions: FabricFunctions, encodeHead: EncodeHead) {
    this.#memory = memory;
    this.#functions = functions;
    this.#encodeHead = encodeHead;
    this.#view = new DataView(memory.memory.buffer);
  }

  /** A letter of a sending: all its parcels' records begin alike. */
  begin(letter: number, header: unknown, source: number): void {
    if (letter >= this.#headLimit) this.#growHeads(letter + 1);
    const { buffer } = this.#memory.memory;
    if (this.#view.buffer !== buffer) this.#view = new DataView(buffer);
    this.#encodeHead(this.#view, this.#heads + letter * HEAD_ROOM, header, source);
  }

  /** Writes the record of a parcel that has arrived at `target`; gives its place among those of the exchange. */
  file(slot: number, letter: number, target: number, exchange: number): number {
    const sheet = this.#sheetOf(target, exchange) ?? this.#openSheet(target, exchange);
    if (sheet.count === sheet.capacity) this.#growSheet(sheet);
    const place = sheet.count++;
    this.#functions.file(
      slot,
      this.#heads + letter * HEAD_ROOM,
      sheet.address + place * MESSAGE_RECORD_BYTES,
    );
    return place;
  }

  /** Gives records of an exchange to a target's recorder, in the order of these places. */
  write(recorder: Recorder, target: number, exchange: number, places: Int32Array): void {
    const sheet = this.#sheetOf(target, exchange)!;
    if (places.length > this.#orderedLimit) {
      this.#orderedLimit = 2 * places.length;
      this.#order = this.#memory.take(this.#orderedLimit * 4);
      this.#ordered = this.#memory.take(this.#orderedLimit * MESSAGE_RECORD_BYTES);
    }
    this.#memory.words.set(places, this.#order / 4);
    this.#functions.collect(this.#order, places.length, sheet.address, this.#ordered);
    recorder.messages(this.#memory.bytes, this.#ordered, places.length);
  }

  /** A target has opened an exchange. */
  close(target: number, exchange: number): void {
    const sheets = this.#open[target];
    const index = sheets?.findIndex((sheet) => sheet.exchange === exchange) ?? -1;
    if (index >= 0) this.#spare.push(...sheets!.splice(index, 1));
  }

  #sheetOf(target: number, exchange: number): Sheet | undefined {
    const sheets = this.#open[target];
    if (sheets === undefined) return undefined;
    for (const sheet of sheets) if (sheet.exchange === exchange) return sheet;
    return undefined;
  }

  #openSheet(target: number, exchange: number): Sheet {
    const sheet = this.#spare.pop() ?? { exchange, address: 0, count: 0, capacity: 0 };
    sheet.exchange = exchange;
    sheet.count = 0;
    (this.#open[target] ??= []).push(sheet);
    return sheet;
  }

  #growSheet(sheet: Sheet): void {
    const capacity = Math.max(FIRST_RECORDS, 2 * sheet.capacity);
    const address = this.#memory.take(capacity * MESSAGE_RECORD_BYTES);
    const end = sheet.address + sheet.count * MESSAGE_RECORD_BYTES;
    this.#memory.bytes.copyWithin(address, sheet.address, end);
    sheet.address = address;
    sheet.capacity = capacity;
  }

  #growHeads(least: number): void {
    const limit = Math.max(FIRST_LETTERS, least, 2 * this.#headLimit);
    const heads = this.#memory.take(limit * HEAD_ROOM);
    this.#memory.bytes.copyWithin(heads, this.#heads, this.#heads + this.#headLimit * HEAD_ROOM);
    this.#heads = heads;
    this.#headLimit = limit;
  }
}
