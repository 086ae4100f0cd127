// A host's recording: what the logical processes on one host write down, appended to one file while the run goes on.
// It does not know what records mean, nor which other hosts there are. Only open blocks are in memory, and their
// sum is bounded too: with thousands of processes, blocks are written smaller instead of growing.

import { invariant } from "@windtunnel/base";
import { AppendedFile } from "./appended-file.ts";
import {
  encodeHop,
  encodeMessage,
  encodeRequest,
  encodeRequestStep,
  encodeSpan,
  encodeStep,
  LONGEST_RECORD_BYTES,
  RECORD_BYTES,
  RECORD_TYPE,
} from "./record-layout.ts";
import type {
  MessageRecord,
  RankStepRecord,
  Recorder,
  RequestRecord,
  RequestStepRecord,
  SpanRecord,
  StepRecord,
} from "./records.ts";
import { BLOCK_HEADER_BYTES, HOST_MAGIC, writeBlockHeader } from "./recording-blocks.ts";

export interface HostRecordingOptions {
  /** A block is written when it has this length; 32 KiB unless told. */
  readonly blockBytes?: number;
  /** Open blocks of all processes together grow up to this; 32 MiB unless told. */
  readonly openBytes?: number;
}

const FIRST_BLOCK_BYTES = 1024;
const SMALLEST_BLOCK_BYTES = BLOCK_HEADER_BYTES + LONGEST_RECORD_BYTES;

export class HostRecording {
  readonly #file: AppendedFile;
  readonly #recorders = new Map<number, BlockRecorder>();
  readonly #budget: OpenBlockBudget;

  constructor(file: string, options: HostRecordingOptions = {}) {
    const blockBytes = options.blockBytes ?? 32 * 1024;
    invariant(
      blockBytes >= SMALLEST_BLOCK_BYTES,
      `a block of ${blockBytes} bytes does not hold every record`,
    );
    this.#file = new AppendedFile(file);
    this.#file.write(Buffer.from(HOST_MAGIC));
    this.#budget = { blockBytes, openBytes: options.openBytes ?? 32 * 1024 * 1024, retainedBytes: 0 };
  }

  /** The recorder of a logical process; the same one whenever it is asked for. */
  recorderFor(process: number): Recorder {
    const known = this.#recorders.get(process);
    if (known !== undefined) return known;
    const recorder = new BlockRecorder(process, this.#file, this.#budget);
    this.#recorders.set(process, recorder);
    return recorder;
  }

  /** Bytes of memory that open blocks hold: all that a recording keeps. */
  get retainedBytes(): number {
    return this.#budget.retainedBytes;
  }

  /** Bytes in the file so far. */
  get bytesWritten(): number {
    return this.#file.bytesWritten;
  }

  /** Writes all open blocks and closes the file; after a failed write it only closes. */
  close(): void {
    try {
      if (this.#file.isFailed) return;
      for (const recorder of this.#recorders.values()) recorder.writeBlock();
    } finally {
      this.#file.close();
    }
  }
}

/** What the blocks of a host share. */
interface OpenBlockBudget {
  readonly blockBytes: number;
  readonly openBytes: number;
  retainedBytes: number;
}

class BlockRecorder implements Recorder {
  readonly #process: number;
  readonly #file: AppendedFile;
  readonly #budget: OpenBlockBudget;
  #block = new Uint8Array(0);
  #view = new DataView(this.#block.buffer);
  #length = BLOCK_HEADER_BYTES;
  #recordsInBlock = 0;
  #sequence = 0;

  constructor(process: number, file: AppendedFile, budget: OpenBlockBudget) {
    invariant(Number.isInteger(process) && process >= 0, `not a logical process: ${process}`);
    this.#process = process;
    this.#file = file;
    this.#budget = budget;
  }

  span(record: SpanRecord): number {
    const at = this.#reserve(RECORD_TYPE.span);
    encodeSpan(this.#view, at, record);
    return this.#accept(RECORD_TYPE.span);
  }

  message(record: MessageRecord): void {
    const at = this.#reserve(RECORD_TYPE.message);
    encodeMessage(this.#view, at, record);
    this.#accept(RECORD_TYPE.message);
  }

  hop(
    source: number,
    target: number,
    exchange: number,
    link: number,
    headAt: number,
    startAt: number,
    endAt: number,
  ): void {
    const at = this.#reserve(RECORD_TYPE.hop);
    encodeHop(this.#view, at, source, target, exchange, link, headAt, startAt, endAt);
    this.#accept(RECORD_TYPE.hop);
  }

  hops(encoded: Uint8Array, at: number, count: number): void {
    this.#append(RECORD_TYPE.hop, encoded, at, count);
  }

  messages(encoded: Uint8Array, at: number, count: number): void {
    this.#append(RECORD_TYPE.message, encoded, at, count);
  }

  /** Records of one type that are encoded already. */
  #append(type: number, encoded: Uint8Array, at: number, count: number): void {
    const size = RECORD_BYTES[type]!;
    let from = at;
    for (let left = count; left > 0;) {
      const to = this.#reserve(type);
      const fitting = Math.min(left, Math.floor((this.#block.length - to) / size));
      this.#block.set(encoded.subarray(from, from + fitting * size), to);
      this.#length += fitting * size;
      this.#recordsInBlock += fitting;
      this.#sequence += fitting;
      from += fitting * size;
      left -= fitting;
    }
  }

  rankStep(record: RankStepRecord): void {
    const at = this.#reserve(RECORD_TYPE.rankStep);
    encodeStep(this.#view, at, RECORD_TYPE.rankStep, record);
    this.#accept(RECORD_TYPE.rankStep);
  }

  step(record: StepRecord): void {
    const at = this.#reserve(RECORD_TYPE.step);
    encodeStep(this.#view, at, RECORD_TYPE.step, record);
    this.#accept(RECORD_TYPE.step);
  }

  requestStep(record: RequestStepRecord): void {
    const at = this.#reserve(RECORD_TYPE.requestStep);
    encodeRequestStep(this.#view, at, record);
    this.#accept(RECORD_TYPE.requestStep);
  }

  request(record: RequestRecord): void {
    const at = this.#reserve(RECORD_TYPE.request);
    encodeRequest(this.#view, at, record);
    this.#accept(RECORD_TYPE.request);
  }

  /** Appends the open block, if it has records, and begins the next in the same memory. */
  writeBlock(): void {
    if (this.#recordsInBlock === 0) return;
    const block = this.#block.subarray(0, this.#length);
    writeBlockHeader(block, this.#process, this.#recordsInBlock);
    this.#length = BLOCK_HEADER_BYTES;
    this.#recordsInBlock = 0;
    this.#file.write(block);
  }

  /** Makes room for a record of `type` and returns where it begins. */
  #reserve(type: number): number {
    const bytes = RECORD_BYTES[type] ?? 0;
    while (this.#length + bytes > this.#block.length) {
      if (!this.#grow()) this.writeBlock();
    }
    return this.#length;
  }

  /** Counts the record that was written at the reserved place; only now is it part of the block. */
  #accept(type: number): number {
    this.#length += RECORD_BYTES[type] ?? 0;
    this.#recordsInBlock += 1;
    const sequence = this.#sequence;
    this.#sequence = sequence + 1;
    return sequence;
  }

  /** Quadruples the open block where its own limit and the host's budget allow; the first block is always given. */
  #grow(): boolean {
    const { blockBytes, openBytes } = this.#budget;
    const before = this.#block.length;
    const after = Math.min(blockBytes, before === 0 ? FIRST_BLOCK_BYTES : before * 4);
    const isWithinBudget = this.#budget.retainedBytes + after - before <= openBytes;
    if (after === before || (before > 0 && !isWithinBudget)) return false;
    const block = new Uint8Array(after);
    block.set(this.#block);
    this.#block = block;
    this.#view = new DataView(block.buffer);
    this.#budget.retainedBytes += after - before;
    return true;
  }
}
