import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WorldError } from "@windtunnel/base";
import { expect, test } from "vitest";
import { openCheckpoint } from "./checkpoint.ts";
import { parseModelConfig } from "./config.ts";
import { drawnWeights } from "./drawn-weights.ts";
import { requiredTensors } from "./tensor-names.ts";
import {
  storedBF16,
  type StoredTensor,
  storedF32,
  temporaryFolder,
  withHeader,
  writeSafetensors,
  writeShards,
} from "./test-support/safetensors-writer.ts";

const CONFIG = {
  model_type: "deepseek_v3",
  vocab_size: 11,
  hidden_size: 8,
  intermediate_size: 6,
  moe_intermediate_size: 4,
  num_hidden_layers: 2,
  first_k_dense_replace: 1,
  num_attention_heads: 1,
  n_routed_experts: 4,
  num_experts_per_tok: 1,
  n_group: 1,
  topk_group: 1,
  q_lora_rank: null,
  kv_lora_rank: 4,
  qk_nope_head_dim: 2,
  qk_rope_head_dim: 2,
  v_head_dim: 2,
};
const DOWN = "model.layers.1.mlp.experts.3.down_proj.weight";

function tensors(changes: Record<string, StoredTensor | undefined> = {}): Map<string, StoredTensor> {
  const stored = new Map<string, StoredTensor>();
  for (const { name, shape } of requiredTensors(parseModelConfig(CONFIG, "config.json"))) {
    stored.set(name, storedF32(shape, drawnWeights(1).read(name, shape)));
  }
  for (const [name, tensor] of Object.entries(changes)) {
    if (tensor === undefined) stored.delete(name);
    else stored.set(name, tensor);
  }
  return stored;
}

/** A folder with a configuration and one file of tensors. */
function folderOf(stored: ReadonlyMap<string, StoredTensor>): { folder: string; file: string } {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "config.json"), JSON.stringify(CONFIG));
  const file = join(folder, "model.safetensors");
  writeSafetensors(file, stored);
  return { folder, file };
}

function ones(): Float32Array {
  return new Float32Array(32).fill(1);
}

function refusal(body: () => unknown): WorldError {
  try {
    body();
  } catch (error) {
    if (error instanceof WorldError && error.exitCode === 2) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("a good checkpoint opens and reads the values that were written", () => {
  const { folder } = folderOf(tensors());
  const { source } = openCheckpoint(folder);
  expect(source.read(DOWN, [8, 4])).toEqual(drawnWeights(1).read(DOWN, [8, 4]));
});

test("a missing folder is an input error", () => {
  expect(refusal(() => openCheckpoint("/no/such/folder")).message).toContain("/no/such/folder");
});

test("a missing config.json and a damaged one are input errors that name the file", () => {
  const folder = temporaryFolder();
  expect(refusal(() => openCheckpoint(folder)).details.file).toBe(join(folder, "config.json"));
  writeFileSync(join(folder, "config.json"), "{");
  expect(refusal(() => openCheckpoint(folder)).details.file).toBe(join(folder, "config.json"));
});

test("no weights, and several files without an index, are input errors", () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "config.json"), JSON.stringify(CONFIG));
  expect(refusal(() => openCheckpoint(folder)).message).toContain("no *.safetensors");
  for (const name of ["a.safetensors", "b.safetensors"]) writeSafetensors(join(folder, name), tensors());
  expect(refusal(() => openCheckpoint(folder)).message).toContain("several");
});

test("a header longer than the file is an input error with both lengths", () => {
  const { folder, file } = folderOf(tensors());
  const bytes = readFileSync(file);
  bytes.writeBigUInt64LE(BigInt(bytes.length), 0);
  writeFileSync(file, bytes);
  const error = refusal(() => openCheckpoint(folder));
  expect(error.details).toMatchObject({ file, path: "header length", found: bytes.length });
  writeFileSync(file, bytes.subarray(0, 5));
  expect(refusal(() => openCheckpoint(folder)).details).toMatchObject({ file, found: 5 });
});

test("a header that is no JSON object is an input error", () => {
  const { folder, file } = folderOf(tensors());
  for (const header of ["{ broken", "[1]"]) {
    writeFileSync(file, withHeader(header, []));
    expect(refusal(() => openCheckpoint(folder)).details).toMatchObject({ file, path: "header" });
  }
});

test("a truncated file is an input error that names a tensor", () => {
  const { folder, file } = folderOf(tensors());
  truncateSync(file, readFileSync(file).length - 1);
  const error = refusal(() => openCheckpoint(folder));
  expect(error.details.file).toBe(file);
  expect(error.details.path).toMatch(/^model\.layers/);
  expect(error.message).toContain("truncated");
});

test("damaged entries of a header are input errors", () => {
  const { folder, file } = folderOf(tensors());
  const entries: readonly unknown[] = [
    3,
    { dtype: 1, shape: [2], data_offsets: [0, 8] },
    { dtype: "F32", shape: [-2], data_offsets: [0, 8] },
    { dtype: "F32", shape: [2], data_offsets: [8, 0] },
    { dtype: "F32", shape: [2], data_offsets: [0, 4] },
  ];
  for (const entry of entries) {
    writeFileSync(file, withHeader(JSON.stringify({ "lm_head.weight": entry }), [new Uint8Array(8)]));
    expect(refusal(() => openCheckpoint(folder)).details).toMatchObject({ file, path: "lm_head.weight" });
  }
});

test("overlapping tensors are an input error", () => {
  const { folder, file } = folderOf(tensors());
  const header = {
    first: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
    second: { dtype: "F32", shape: [1], data_offsets: [4, 8] },
  };
  writeFileSync(file, withHeader(JSON.stringify(header), [new Uint8Array(8)]));
  expect(refusal(() => openCheckpoint(folder)).details).toMatchObject({ file, path: "second" });
});

test("missing tensors are listed", () => {
  const names = ["gate_proj", "up_proj", "down_proj"].map(
    (part) => `model.layers.1.mlp.experts.2.${part}.weight`,
  );
  const { folder } = folderOf(tensors(Object.fromEntries(names.map((name) => [name, undefined]))));
  const error = refusal(() => openCheckpoint(folder));
  expect(error.message).toContain(`3 tensors are missing: ${names.join(", ")}`);
});

test("a wrong dtype and a wrong shape are input errors with what was found and what is allowed", () => {
  const wrongDtype = folderOf(
    tensors({ [DOWN]: { dtype: "I32", shape: [8, 4], bytes: new Uint8Array(128) } }),
  );
  expect(refusal(() => openCheckpoint(wrongDtype.folder)).details).toMatchObject({
    file: wrongDtype.file,
    path: DOWN,
    found: "I32",
    allowed: "F32, BF16, F16, F8_E4M3",
  });
  const wrongShape = folderOf(tensors({ [DOWN]: storedF32([4, 8], new Float32Array(32)) }));
  expect(refusal(() => openCheckpoint(wrongShape.folder)).details).toMatchObject({
    path: DOWN,
    found: "[4, 8]",
  });
});

test("FP8 without its scales, or with scales of a wrong dtype or shape, is an input error", () => {
  const codes = { dtype: "F8_E4M3", shape: [8, 4], bytes: new Uint8Array(32) };
  const scaleName = `${DOWN}_scale_inv`;
  const without = folderOf(tensors({ [DOWN]: codes }));
  expect(refusal(() => openCheckpoint(without.folder)).message).toContain(scaleName);
  const dtype = folderOf(tensors({ [DOWN]: codes, [scaleName]: storedBF16([1, 1], new Float32Array(1)) }));
  expect(refusal(() => openCheckpoint(dtype.folder)).details.path).toBe(scaleName);
  // Exponents alone are scales where the configuration says so.
  const exponents = { dtype: "F8_E8M0", shape: [1, 1], bytes: Uint8Array.of(120) };
  const format = folderOf(tensors({ [DOWN]: codes, [scaleName]: exponents }));
  expect(refusal(() => openCheckpoint(format.folder)).details).toMatchObject({
    path: scaleName,
    found: "F8_E8M0",
    allowed: "F32",
  });
  const shape = folderOf(tensors({ [DOWN]: codes, [scaleName]: storedF32([1, 2], new Float32Array(2)) }));
  expect(refusal(() => openCheckpoint(shape.folder)).details).toMatchObject({
    path: scaleName,
    found: "[1, 2]",
  });
});

test("a NaN or an infinity in a weight is an input error with its index, in every dtype", () => {
  const spoiled: Record<string, StoredTensor> = {
    F32: storedF32([8, 4], ones().fill(Number.NaN, 5, 6)),
    BF16: storedBF16([8, 4], ones().fill(Number.NEGATIVE_INFINITY, 5, 6)),
    F16: {
      dtype: "F16",
      shape: [8, 4],
      bytes: new Uint8Array(new Uint16Array(32).fill(0x7c00, 5, 6).buffer),
    },
    F8_E4M3: { dtype: "F8_E4M3", shape: [8, 4], bytes: new Uint8Array(32).fill(0x7f, 5, 6) },
  };
  for (const tensor of Object.values(spoiled)) {
    const scales = storedF32([1, 1], new Float32Array([1]));
    const { folder, file } = folderOf(tensors({ [DOWN]: tensor, [`${DOWN}_scale_inv`]: scales }));
    const { source } = openCheckpoint(folder);
    const error = refusal(() => source.read(DOWN, [8, 4]));
    expect(error.details).toMatchObject({ file, path: `${DOWN}[5]` });
  }
});

test("a damaged index is an input error", () => {
  const folder = temporaryFolder();
  const file = join(folder, "model.safetensors.index.json");
  writeFileSync(join(folder, "config.json"), JSON.stringify(CONFIG));
  for (const index of [{}, { weight_map: { a: 3 } }, { weight_map: { a: "../a.safetensors" } }]) {
    writeFileSync(file, JSON.stringify(index));
    expect(refusal(() => openCheckpoint(folder)).details.file).toBe(file);
  }
});

test("a shard that is missing, or lacks a tensor of the index, is an input error that names it", () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "config.json"), JSON.stringify(CONFIG));
  writeShards(folder, tensors(), 2);
  expect(openCheckpoint(folder).source.read(DOWN, [8, 4])).toEqual(drawnWeights(1).read(DOWN, [8, 4]));
  const second = join(folder, "model-2-of-2.safetensors");
  writeSafetensors(second, new Map());
  expect(refusal(() => openCheckpoint(folder)).details).toMatchObject({ file: second, found: "missing" });
  writeFileSync(
    join(folder, "model.safetensors.index.json"),
    JSON.stringify({ weight_map: { a: "none.safetensors" } }),
  );
  expect(refusal(() => openCheckpoint(folder)).details.file).toBe(join(folder, "none.safetensors"));
});
