// Writes small checkpoints for tests: numbers in any of the supported formats, one file or shards with an index.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export type StoredTensors = ReadonlyMap<string, StoredTensor>;

/** A folder that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "windtunnel-model-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

export function writeSafetensors(file: string, tensors: StoredTensors): void {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let end = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
  }
  const parts = [...tensors.values()].map((tensor) => tensor.bytes);
  writeFileSync(file, withHeader(JSON.stringify(header), parts));
}

/** A file of a header as it stands and the bytes behind it. */
export function withHeader(header: string, parts: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}

/** Spreads the tensors over `shardCount` files in turn, with an index. */
export function writeShards(folder: string, tensors: StoredTensors, shardCount: number): void {
  const weightMap: Record<string, string> = {};
  const shards = Array.from({ length: shardCount }, () => new Map<string, StoredTensor>());
  const shardName = (shard: number) => `model-${shard + 1}-of-${shardCount}.safetensors`;
  for (const [index, [name, tensor]] of [...tensors].entries()) {
    weightMap[name] = shardName(index % shardCount);
    shards[index % shardCount]!.set(name, tensor);
  }
  for (const [shard, content] of shards.entries()) writeSafetensors(join(folder, shardName(shard)), content);
  writeFileSync(
    join(folder, "model.safetensors.index.json"),
    JSON.stringify({ metadata: {}, weight_map: weightMap }),
  );
}

export function storedF32(shape: readonly number[], values: Float32Array): StoredTensor {
  return { dtype: "F32", shape, bytes: new Uint8Array(values.slice().buffer) };
}

/** Cuts the lower half of each number; `values` becomes what is stored. */
export function storedBF16(shape: readonly number[], values: Float32Array): StoredTensor {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const codes = Uint16Array.from(words, (word) => word >>> 16);
  words.forEach((word, i) => {
    words[i] = word & 0xffff_0000;
  });
  return { dtype: "BF16", shape, bytes: new Uint8Array(codes.buffer) };
}

/** Cuts to 10 fraction bits, and below 2^-14 to 0; `values`, all below 65504, becomes what is stored. */
export function storedF16(shape: readonly number[], values: Float32Array): StoredTensor {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const codes = new Uint16Array(values.length);
  for (const [i, word] of words.entries()) {
    const exponent = ((word >>> 23) & 0xff) - 127 + 15;
    words[i] = exponent < 1 ? 0 : word & 0xffff_e000;
    codes[i] = exponent < 1 ? 0 : ((word >>> 16) & 0x8000) | (exponent << 10) | ((word >>> 13) & 0x3ff);
  }
  return { dtype: "F16", shape, bytes: new Uint8Array(codes.buffer) };
}
