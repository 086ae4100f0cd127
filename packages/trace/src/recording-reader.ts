// Reads a merged recording, block by block, as records. It does not interpret them. A file that was cut or changed
// is refused as wrong input before any of its records are given out from the damaged part.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { inputError, invariant, type WorldError } from "@windtunnel/base";
import { type AnyRecord, decodeRecord, RECORD_BYTES } from "./record-layout.ts";
import type { RecordedProcess, RecordingHeader } from "./records.ts";
import {
  BLOCK_HEADER_BYTES,
  blockDamage,
  readBlockHeader,
  RECORDING_END_MAGIC,
  RECORDING_MAGIC,
} from "./recording-blocks.ts";

export interface Recording {
  readonly file: string;
  readonly header: RecordingHeader;
  /** How many records a process wrote. */
  recordCount(process: number): number;
  /** A process's records in the order in which it wrote them; may be asked for again and again. */
  records(process: number): Iterable<AnyRecord>;
  /** Releases the file. */
  close(): void;
}

export type GpuProcess = Extract<RecordedProcess, { kind: "gpu" }>;
export type FabricProcess = Extract<RecordedProcess, { kind: "fabric" }>;
export type SchedulerProcess = Extract<RecordedProcess, { kind: "scheduler" }>;

/** The GPUs of a recording in ascending process id. */
export function gpusOf(header: RecordingHeader): GpuProcess[] {
  return header.processes.filter((process) => process.kind === "gpu").sort((a, b) => a.id - b.id);
}

/** The fabric processes of a recording in ascending process id. */
export function fabricsOf(header: RecordingHeader): FabricProcess[] {
  return header.processes.filter((process) => process.kind === "fabric").sort((a, b) => a.id - b.id);
}

/** The schedulers of a recording in ascending process id. */
export function schedulersOf(header: RecordingHeader): SchedulerProcess[] {
  return header.processes.filter((process) => process.kind === "scheduler").sort((a, b) => a.id - b.id);
}

/** A function that names the link of a message by its fabric process and index there. */
export function linkNames(header: RecordingHeader): (process: number, link: number) => string {
  const linksByProcess = new Map(fabricsOf(header).map((process) => [process.id, process.links]));
  return (process, link) => linksByProcess.get(process)?.[link] ?? `link ${link} of process ${process}`;
}

/** Opens a recording that `mergeRecordings` wrote. */
export function openRecording(file: string): Recording {
  return new RecordingFile(file);
}

interface ProcessEntry {
  readonly process: number;
  readonly offset: number;
  readonly byteLength: number;
  readonly recordCount: number;
}

const HEADER_START_BYTES = RECORDING_MAGIC.length + 8;
const FOOTER_END_BYTES = 16 + RECORDING_END_MAGIC.length;

class RecordingFile implements Recording {
  readonly file: string;
  readonly header: RecordingHeader;
  readonly #byteLength: number;
  readonly #entries = new Map<number, ProcessEntry>();
  #descriptor: number;

  constructor(file: string) {
    this.file = file;
    try {
      this.#descriptor = openSync(file, "r");
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error)) throw error;
      throw inputError(`can't read the recording ${file}: ${error.message}`, { file });
    }
    try {
      this.#byteLength = fstatSync(this.#descriptor).size;
      this.header = this.#readHeader();
      for (const entry of this.#readFooter()) this.#entries.set(entry.process, entry);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  recordCount(process: number): number {
    return this.#entries.get(process)?.recordCount ?? 0;
  }

  *records(process: number): Generator<AnyRecord, void, undefined> {
    const entry = this.#entries.get(process);
    if (entry === undefined) return;
    let offset = entry.offset;
    let sequence = 0;
    while (offset < entry.offset + entry.byteLength) {
      const header = readBlockHeader(this.#read(offset, BLOCK_HEADER_BYTES));
      if (header?.process !== process)
        throw this.#damaged(offset, `no block of process ${process} begins here`);
      const records = this.#read(offset + BLOCK_HEADER_BYTES, header.byteLength);
      const damage = blockDamage(header, records);
      if (damage !== undefined) throw this.#damaged(offset, damage);
      const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
      for (let at = 0; at < records.length; at += RECORD_BYTES[records[at] ?? 0] ?? 0) {
        yield decodeRecord(view, at, sequence);
        sequence += 1;
      }
      offset += BLOCK_HEADER_BYTES + header.byteLength;
    }
    if (sequence !== entry.recordCount) {
      throw this.#damaged(offset, `process ${process} has ${sequence} of ${entry.recordCount} records`);
    }
  }

  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  #readHeader(): RecordingHeader {
    const start = this.#read(0, HEADER_START_BYTES);
    if (start.toString("latin1", 0, RECORDING_MAGIC.length) !== RECORDING_MAGIC) {
      throw inputError(`${this.file} is no recording of Windtunnel`, { file: this.file });
    }
    const json = this.#read(HEADER_START_BYTES, start.readUInt32LE(RECORDING_MAGIC.length));
    const header = this.#parse(json, start.readUInt32LE(RECORDING_MAGIC.length + 4), 0) as RecordingHeader;
    if (header.schema !== "windtunnel/recording@2") {
      throw inputError(
        `${this.file} has the schema ${String(header.schema)}; windtunnel/recording@2 is known; repeat the run`,
        {
          file: this.file,
        },
      );
    }
    return header;
  }

  #readFooter(): ProcessEntry[] {
    if (this.#byteLength < FOOTER_END_BYTES) throw this.#truncated();
    const end = this.#read(this.#byteLength - FOOTER_END_BYTES, FOOTER_END_BYTES);
    if (end.toString("latin1", 16) !== RECORDING_END_MAGIC) throw this.#truncated();
    const offset = end.readDoubleLE(0);
    const byteLength = end.readUInt32LE(8);
    if (offset + byteLength + FOOTER_END_BYTES !== this.#byteLength) throw this.#truncated();
    return this.#parse(this.#read(offset, byteLength), end.readUInt32LE(12), offset) as ProcessEntry[];
  }

  /** JSON is parsed only when its checksum says that we wrote it. */
  #parse(json: Buffer, checksum: number, offset: number): unknown {
    if (crc32(json) !== checksum) throw this.#damaged(offset, "the checksum is wrong");
    return JSON.parse(json.toString("utf8"));
  }

  #read(offset: number, byteLength: number): Buffer {
    invariant(this.#descriptor >= 0, `the recording ${this.file} is closed already`);
    if (offset + byteLength > this.#byteLength) throw this.#truncated();
    const bytes = Buffer.allocUnsafe(byteLength);
    const count = readSync(this.#descriptor, bytes, 0, byteLength, offset);
    if (count !== byteLength) throw this.#truncated();
    return bytes;
  }

  #truncated(): WorldError {
    return inputError(
      `the recording ${this.file} is truncated: it ends after ${this.#byteLength} bytes without its last part; ` +
        "copy it again or repeat the run",
      { file: this.file },
    );
  }

  #damaged(offset: number, what: string): WorldError {
    return inputError(
      `the recording ${this.file} is damaged at byte ${offset}: ${what}; copy it again or repeat the run`,
      { file: this.file, offset },
    );
  }
}
