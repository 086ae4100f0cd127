// The frame: a header of 32 bytes, a control part (MessagePack), and the payloads behind it, each from a multiple of
// eight bytes. The header names both ends, numbers the frame, and carries lengths and a CRC-32
// over all the rest of the frame.

import { crc32 } from "node:zlib";
import { invariant, Payload, WorldError } from "@windtunnel/base";
import { addExtension, Packr } from "msgpackr";

export const HEADER_BYTES = 32;
const MAGIC = 0x31_54_57_66; // "fWT1"
const PAYLOAD_EXTENSION = 0x50;
const ALIGNMENT = 8;
const padding = new Uint8Array(ALIGNMENT);

/** Payloads met while a value is being packed, or at hand while one is being unpacked. */
let payloads: Uint8Array[] = [];

addExtension({
  Class: Payload,
  type: PAYLOAD_EXTENSION,
  write: (payload: Payload) => payloads.push(payload.bytes) - 1,
  read: (index: unknown) => {
    const bytes = payloads[index as number];
    invariant(bytes !== undefined, `a frame lacks payload ${String(index)}`);
    return new Payload(bytes);
  },
});

// Frames are self-contained: no structures are shared between them. Objects are maps, whose reader need not be made for each frame.
const packr = new Packr({ moreTypes: true, useRecords: false, mapsAsObjects: true, variableMapSize: true });

export interface FrameEnds {
  readonly from: number;
  readonly to: number;
  /** Counts the frames of this pair. */
  readonly number: number;
}

/** Header, control part and payloads, to be sent one behind the other. The pieces are views; nothing is copied. */
export function encodeFrame(ends: FrameEnds, value: unknown): Uint8Array[] {
  payloads = [];
  const packed = packr.pack(value);
  const parts = payloads;
  payloads = [];
  const lengths = Float64Array.from(parts, (part) => part.byteLength);
  const pieces: Uint8Array[] = [bytesOf(lengths), packed];
  pad(pieces, packed.byteLength);
  for (const part of parts) {
    pieces.push(part);
    pad(pieces, part.byteLength);
  }
  const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint32(0, MAGIC, true);
  header.setUint16(4, ends.from, true);
  header.setUint16(6, ends.to, true);
  header.setUint32(8, ends.number, true);
  header.setUint32(12, parts.length, true);
  header.setUint32(16, packed.byteLength, true);
  header.setFloat64(24, length, true);
  const bytes = new Uint8Array(header.buffer);
  header.setUint32(
    20,
    pieces.reduce((checksum, piece) => crc32(piece, checksum), headerChecksum(bytes)),
    true,
  );
  return [bytes, ...pieces];
}

/** Bytes behind a header; refuses one that is no header, or not for these ends. */
export function bodyLength(header: Uint8Array, expected: Omit<FrameEnds, "number">): number {
  const view = viewOf(header);
  const from = view.getUint16(4, true);
  const to = view.getUint16(6, true);
  if (view.getUint32(0, true) !== MAGIC || from !== expected.from || to !== expected.to) {
    throw damaged(expected, "its header is not one of this run's");
  }
  const length = view.getFloat64(24, true);
  if (!Number.isInteger(length) || length < 0) throw damaged(expected, `its length is ${length}`);
  return length;
}

/** The sender that a header names, before anything is checked; -1 where it is too short to be one. */
export function senderOf(header: Uint8Array): number {
  return header.byteLength < HEADER_BYTES ? -1 : viewOf(header).getUint16(4, true);
}

/** The value of a frame whose body has arrived whole. Payloads are views of `body`. */
export function decodeFrame(header: Uint8Array, body: Uint8Array, expected: FrameEnds): unknown {
  const view = viewOf(header);
  const length = bodyLength(header, expected);
  const number = view.getUint32(8, true);
  if (number !== expected.number) throw damaged(expected, `it is frame ${number}`);
  if (body.byteLength !== length) throw damaged(expected, `it has ${body.byteLength} of ${length} bytes`);
  const checksum = view.getUint32(20, true);
  const found = crc32(body, headerChecksum(header));
  if (found !== checksum)
    throw damaged(expected, `its checksum is ${hex(found)} instead of ${hex(checksum)}`);
  invariant(body.byteOffset % ALIGNMENT === 0, "a frame's body starts at a multiple of eight bytes");
  const partCount = view.getUint32(12, true);
  const lengths = new Float64Array(body.buffer, body.byteOffset, partCount);
  let offset = partCount * Float64Array.BYTES_PER_ELEMENT;
  const packed = body.subarray(offset, offset + view.getUint32(16, true));
  offset = aligned(offset + packed.byteLength);
  payloads = [];
  for (const partLength of lengths) {
    payloads.push(body.subarray(offset, offset + partLength));
    offset = aligned(offset + partLength);
  }
  const value: unknown = packr.unpack(packed);
  payloads = [];
  return value;
}

function damaged(ends: Omit<FrameEnds, "number"> & { number?: number }, why: string): WorldError {
  const which = ends.number === undefined ? "a frame" : `frame ${ends.number}`;
  return new WorldError(
    "frame-damaged",
    `${which} from host ${ends.from} to host ${ends.to} is damaged: ${why}`,
    {
      ...ends,
    },
  );
}

/** Over everything in the header but the checksum itself. */
function headerChecksum(header: Uint8Array): number {
  return crc32(header.subarray(24, HEADER_BYTES), crc32(header.subarray(0, 20)));
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

function pad(pieces: Uint8Array[], length: number): void {
  const rest = aligned(length) - length;
  if (rest > 0) pieces.push(padding.subarray(0, rest));
}

function bytesOf(array: Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
