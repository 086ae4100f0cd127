// Blocks of records: the unit in which a recording is written, moved and read. A block belongs to one logical
// process, holds whole records in order, and carries a CRC-32, so that damage is noticed before it is decoded.

import { crc32 } from "node:zlib";
import { RECORD_BYTES } from "./record-layout.ts";

export const HOST_MAGIC = "WTHOST01";
export const RECORDING_MAGIC = "WTREC001";
export const RECORDING_END_MAGIC = "WTEND001";

/** Magic, process, length in bytes, record count, CRC-32 of the records. */
export const BLOCK_HEADER_BYTES = 20;
const BLOCK_MAGIC = 0x314b4257; // "WBK1"

export interface BlockHeader {
  readonly process: number;
  readonly byteLength: number;
  readonly recordCount: number;
  readonly checksum: number;
}

/** Fills the first 20 bytes of `block`, whose records follow up to its end. */
export function writeBlockHeader(block: Uint8Array, process: number, recordCount: number): void {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const records = block.subarray(BLOCK_HEADER_BYTES);
  view.setUint32(0, BLOCK_MAGIC, true);
  view.setUint32(4, process, true);
  view.setUint32(8, records.length, true);
  view.setUint32(12, recordCount, true);
  view.setUint32(16, crc32(records), true);
}

/** The header in the first 20 bytes; undefined where no block begins. */
export function readBlockHeader(bytes: Uint8Array): BlockHeader | undefined {
  if (bytes.length < BLOCK_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== BLOCK_MAGIC) return undefined;
  return {
    process: view.getUint32(4, true),
    byteLength: view.getUint32(8, true),
    recordCount: view.getUint32(12, true),
    checksum: view.getUint32(16, true),
  };
}

/** What is wrong with a block's records; undefined where they are as they were written. */
export function blockDamage(header: BlockHeader, records: Uint8Array): string | undefined {
  if (records.length !== header.byteLength)
    return `the block has ${records.length} of ${header.byteLength} bytes`;
  if (crc32(records) !== header.checksum) return "the block's checksum is wrong";
  let offset = 0;
  let count = 0;
  while (offset < records.length) {
    const bytes = RECORD_BYTES[records[offset] ?? 0] ?? 0;
    if (bytes === 0) return `a record of unknown type ${records[offset]}`;
    offset += bytes;
    count += 1;
  }
  if (offset !== records.length) return "the block's last record is cut";
  return count === header.recordCount ? undefined : `the block has ${count} of ${header.recordCount} records`;
}
