// The safetensors container: a header of 8 + n bytes that says where each tensor lies, and the bytes of one tensor
// read at its offset. It does not know models. Invariant: an entry that it returns lies inside its file, has as many
// bytes as its shape and dtype need, and overlaps no other.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { inputError, invariant } from "@windtunnel/base";
import { isJsonObject } from "./config-fields.ts";

export interface SafetensorsEntry {
  readonly file: string;
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** First byte in the file. */
  readonly start: number;
  readonly byteLength: number;
}

const LENGTH_BYTES = 8;
/** The limit of the reference implementation; a longer header is damage. */
const MAX_HEADER_BYTES = 100_000_000;

const BYTES_BY_DTYPE: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
};

/** Reads and checks the header of one file. */
export function readSafetensorsHeader(file: string): SafetensorsEntry[] {
  return withFile(file, (descriptor) => {
    const fileLength = fstatSync(descriptor).size;
    const headerLength = readHeaderLength(descriptor, file, fileLength);
    const header = parseHeader(readBytes(descriptor, file, LENGTH_BYTES, headerLength), file);
    const dataStart = LENGTH_BYTES + headerLength;
    const entries: SafetensorsEntry[] = [];
    for (const [name, value] of Object.entries(header)) {
      if (name !== "__metadata__") entries.push(parseEntry(file, name, value, dataStart, fileLength));
    }
    refuseOverlap(entries, file);
    return entries;
  });
}

/** The bytes of one tensor. */
export function readEntryBytes(entry: SafetensorsEntry): Uint8Array<ArrayBuffer> {
  return withFile(entry.file, (descriptor) =>
    readBytes(descriptor, entry.file, entry.start, entry.byteLength),
  );
}

function readHeaderLength(descriptor: number, file: string, fileLength: number): number {
  if (fileLength < LENGTH_BYTES) {
    throw inputError(
      `${file}: ${fileLength} bytes are no safetensors file; its header alone has ${LENGTH_BYTES} or more`,
      {
        file,
        path: "header length",
        found: fileLength,
        allowed: `at least ${LENGTH_BYTES} bytes`,
      },
    );
  }
  const bytes = readBytes(descriptor, file, 0, LENGTH_BYTES);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const most = Math.min(fileLength - LENGTH_BYTES, MAX_HEADER_BYTES);
  if (length <= most) return length;
  throw inputError(
    `${file}: the header claims ${length} bytes; the file of ${fileLength} bytes allows at most ${most}`,
    {
      file,
      path: "header length",
      found: length,
      allowed: `at most ${most}`,
    },
  );
}

function parseHeader(bytes: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw inputError(`${file}: the header is no valid JSON (${found})`, {
      file,
      path: "header",
      found,
      allowed: "JSON",
    });
  }
  if (isJsonObject(header)) return header;
  throw inputError(`${file}: the header is no JSON object`, {
    file,
    path: "header",
    found: header,
    allowed: "an object",
  });
}

function parseEntry(
  file: string,
  name: string,
  value: unknown,
  dataStart: number,
  fileLength: number,
): SafetensorsEntry {
  const refuse = (what: string, found: unknown, allowed: string) =>
    inputError(`${file}: tensor ${name}: ${what} is ${JSON.stringify(found)}; allowed: ${allowed}`, {
      file,
      path: name,
      found,
      allowed,
    });
  if (!isJsonObject(value)) throw refuse("its entry", value, "an object with dtype, shape and data_offsets");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string") throw refuse("dtype", dtype, "a name such as BF16");
  if (!isListOfSizes(shape)) throw refuse("shape", shape, "a list of sizes");
  if (!isListOfSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw refuse("data_offsets", offsets, "[begin, end] with begin at most end");
  }
  const dataLength = fileLength - dataStart;
  if (offsets[1]! > dataLength) {
    throw refuse("data_offsets", offsets, `at most ${dataLength}, where the file ends: it is truncated`);
  }
  const byteLength = offsets[1]! - offsets[0]!;
  const bytesPerElement = BYTES_BY_DTYPE[dtype];
  const needed = shape.reduce((product, size) => product * size, bytesPerElement ?? 0);
  if (bytesPerElement !== undefined && needed !== byteLength) {
    throw refuse("data_offsets", offsets, `${needed} bytes for ${dtype} of shape [${shape.join(", ")}]`);
  }
  return { file, name, dtype, shape, start: dataStart + offsets[0]!, byteLength };
}

function isListOfSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function refuseOverlap(entries: readonly SafetensorsEntry[], file: string): void {
  const inOrder = entries.filter((entry) => entry.byteLength > 0).toSorted((a, b) => a.start - b.start);
  for (let i = 1; i < inOrder.length; i++) {
    const before = inOrder[i - 1]!;
    const entry = inOrder[i]!;
    const end = before.start + before.byteLength;
    if (entry.start >= end) continue;
    throw inputError(`${file}: tensor ${entry.name} begins at byte ${entry.start}, inside ${before.name}`, {
      file,
      path: entry.name,
      found: entry.start,
      allowed: `at least ${end}`,
    });
  }
}

function withFile<Result>(file: string, body: (descriptor: number) => Result): Result {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw inputError(`${file} can't be opened: ${found}`, {
      file,
      path: "",
      found,
      allowed: "a readable file",
    });
  }
  try {
    return body(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readBytes(descriptor: number, file: string, start: number, length: number): Uint8Array<ArrayBuffer> {
  invariant(start >= 0 && length >= 0, `${length} bytes at ${start} of ${file}`);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = readSync(descriptor, bytes, done, Math.min(length - done, 2 ** 30), start + done);
    if (count === 0) {
      throw inputError(`${file}: ends at byte ${start + done}, in the middle of a tensor`, {
        file,
        path: "",
        found: start + done,
        allowed: `at least ${start + length} bytes`,
      });
    }
    done += count;
  }
  return bytes;
}
