// Merges the hosts' files into one recording whose bytes don't depend on where the processes sat: all records of
// process 0, then of process 1, and so on, each in the order in which it wrote them, cut into blocks of one size.
// Streams: an index of blocks is in memory, never their records. The hosts' files are left as they are.

import { createHash, type Hash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { invariant, WorldError } from "@windtunnel/base";
import { AppendedFile, diskError } from "./appended-file.ts";
import { RECORD_BYTES } from "./record-layout.ts";
import type { RecordingHeader } from "./records.ts";
import {
  BLOCK_HEADER_BYTES,
  blockDamage,
  type BlockHeader,
  HOST_MAGIC,
  readBlockHeader,
  RECORDING_END_MAGIC,
  RECORDING_MAGIC,
  writeBlockHeader,
} from "./recording-blocks.ts";

/** Every block of a recording but a process's last is as full as its records let it be. */
const CANONICAL_BLOCK_BYTES = 64 * 1024;

export interface MergedRecording {
  /** SHA-256 of the file, in hexadecimal. */
  readonly digest: string;
  readonly bytes: number;
}

/** Writes `target`; `hostFiles` must be closed. A broken host file or a full disk is a WorldError of code "disk". */
export function mergeRecordings(
  header: RecordingHeader,
  hostFiles: readonly string[],
  target: string,
): MergedRecording {
  const hosts = hostFiles.map((file) => openHostFile(file));
  try {
    const blocksByProcess = indexBlocks(hosts);
    const known = new Set(header.processes.map((process) => process.id));
    for (const process of blocksByProcess.keys()) {
      invariant(known.has(process), `process ${process} wrote records and is not in the recording's header`);
    }
    const output = new HashedFile(target);
    try {
      output.write(headerBytes(header));
      const entries: ProcessEntry[] = [];
      for (const process of [...blocksByProcess.keys()].sort((a, b) => a - b)) {
        entries.push(copyProcess(process, blocksByProcess.get(process) ?? [], output));
      }
      output.write(footerBytes(entries, output.bytes));
    } finally {
      output.close();
    }
    return { digest: output.digest(), bytes: output.bytes };
  } finally {
    for (const host of hosts) closeSync(host.descriptor);
  }
}

interface HostFile {
  readonly file: string;
  readonly descriptor: number;
  readonly byteLength: number;
}

/** A block where it lies in a host's file. */
interface IndexedBlock {
  readonly host: HostFile;
  /** Of its records, behind the header. */
  readonly offset: number;
  readonly header: BlockHeader;
}

/** Where a process's blocks lie in the recording. */
interface ProcessEntry {
  readonly process: number;
  readonly offset: number;
  readonly byteLength: number;
  readonly recordCount: number;
}

/** A file together with the digest of all that was written to it. */
class HashedFile {
  readonly #file: AppendedFile;
  readonly #hash: Hash = createHash("sha256");

  constructor(file: string) {
    this.#file = new AppendedFile(file);
  }

  get bytes(): number {
    return this.#file.bytesWritten;
  }

  write(bytes: Uint8Array): void {
    this.#file.write(bytes);
    this.#hash.update(bytes);
  }

  close(): void {
    this.#file.close();
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

function openHostFile(file: string): HostFile {
  try {
    const descriptor = openSync(file, "r");
    return { file, descriptor, byteLength: fstatSync(descriptor).size };
  } catch (error) {
    throw diskError(error, `can't read the host's recording ${file}`, { file });
  }
}

/** Reads every block's header; the records stay on the disk. */
function indexBlocks(hosts: readonly HostFile[]): Map<number, IndexedBlock[]> {
  const blocks = new Map<number, IndexedBlock[]>();
  for (const host of hosts) {
    const magic = readExactly(host, 0, HOST_MAGIC.length).toString("latin1");
    if (magic !== HOST_MAGIC) throw damagedHost(host, 0, "it is no host's recording");
    let offset = HOST_MAGIC.length;
    while (offset < host.byteLength) {
      const header = readBlockHeader(readExactly(host, offset, BLOCK_HEADER_BYTES));
      if (header === undefined) throw damagedHost(host, offset, "no block begins here");
      const block = { host, offset: offset + BLOCK_HEADER_BYTES, header };
      const ofProcess = blocks.get(header.process);
      if (ofProcess === undefined) blocks.set(header.process, [block]);
      else ofProcess.push(block);
      offset = block.offset + header.byteLength;
    }
    if (offset !== host.byteLength) throw damagedHost(host, host.byteLength, "its last block is cut");
  }
  return blocks;
}

/** Copies a process's records, in order, into blocks of canonical size. */
function copyProcess(process: number, blocks: readonly IndexedBlock[], output: HashedFile): ProcessEntry {
  const canonical = new Uint8Array(CANONICAL_BLOCK_BYTES);
  const offset = output.bytes;
  let length = BLOCK_HEADER_BYTES;
  let recordsInBlock = 0;
  let recordCount = 0;
  const writeBlock = (): void => {
    const block = canonical.subarray(0, length);
    writeBlockHeader(block, process, recordsInBlock);
    output.write(block);
    recordCount += recordsInBlock;
    length = BLOCK_HEADER_BYTES;
    recordsInBlock = 0;
  };
  for (const block of blocks) {
    const records = readExactly(block.host, block.offset, block.header.byteLength);
    const damage = blockDamage(block.header, records);
    if (damage !== undefined) throw damagedHost(block.host, block.offset, damage);
    for (let at = 0; at < records.length;) {
      const first = at;
      // As many whole records as still fit are copied at once.
      let next = at + (RECORD_BYTES[records[at] ?? 0] ?? 0);
      while (at < records.length && length + next - first <= CANONICAL_BLOCK_BYTES) {
        at = next;
        recordsInBlock += 1;
        next = at + (RECORD_BYTES[records[at] ?? 0] ?? 0);
      }
      canonical.set(records.subarray(first, at), length);
      length += at - first;
      if (at < records.length) writeBlock();
    }
  }
  if (recordsInBlock > 0) writeBlock();
  return { process, offset, byteLength: output.bytes - offset, recordCount };
}

/** Magic, length and checksum of the header's JSON, the JSON. */
function headerBytes(header: RecordingHeader): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(RECORDING_MAGIC.length + 8);
  start.write(RECORDING_MAGIC, "latin1");
  start.writeUInt32LE(json.length, RECORDING_MAGIC.length);
  start.writeUInt32LE(crc32(json), RECORDING_MAGIC.length + 4);
  return Buffer.concat([start, json]);
}

/** The processes' places as JSON, then its offset (64 bits), length, checksum, and the magic that ends a whole file. */
function footerBytes(entries: readonly ProcessEntry[], offset: number): Uint8Array {
  const json = Buffer.from(JSON.stringify(entries));
  const end = Buffer.alloc(16 + RECORDING_END_MAGIC.length);
  end.writeDoubleLE(offset, 0);
  end.writeUInt32LE(json.length, 8);
  end.writeUInt32LE(crc32(json), 12);
  end.write(RECORDING_END_MAGIC, 16, "latin1");
  return Buffer.concat([json, end]);
}

function readExactly(host: HostFile, offset: number, byteLength: number): Buffer {
  const bytes = Buffer.alloc(byteLength);
  const count = readSync(host.descriptor, bytes, 0, byteLength, offset);
  if (count !== byteLength) throw damagedHost(host, offset, `it ends ${byteLength - count} bytes too early`);
  return bytes;
}

function damagedHost(host: HostFile, offset: number, what: string): WorldError {
  return new WorldError("disk", `the host's recording ${host.file} is damaged at byte ${offset}: ${what}`, {
    file: host.file,
    offset,
  });
}
