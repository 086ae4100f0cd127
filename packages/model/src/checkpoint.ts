// A Hugging Face checkpoint folder: config.json and one or several safetensors files, as a source of weights.
// Tensors are read one by one, never a whole file. Invariant: an opened checkpoint has every tensor that its
// configuration needs, of the right shape and a known dtype; values are checked when they are read.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { inputError, invariant } from "@windtunnel/base";
import { dequantizeBlocks, type ScaleFormat } from "@windtunnel/tensor";
import { type ModelConfig, parseModelConfig } from "./config.ts";
import { isJsonObject } from "./config-fields.ts";
import { decodeNumbers, firstNonFinite, type NumberDtype } from "./number-decoding.ts";
import { readEntryBytes, readSafetensorsHeader, type SafetensorsEntry } from "./safetensors.ts";
import { type NamedShape, requiredTensors } from "./tensor-names.ts";
import type { WeightSource } from "./weight-source.ts";

export interface Checkpoint {
  readonly directory: string;
  readonly config: ModelConfig;
  readonly source: WeightSource;
}

type Entries = ReadonlyMap<string, SafetensorsEntry>;

const FP8 = "F8_E4M3";
const WEIGHT_DTYPES: readonly string[] = ["F32", "BF16", "F16", FP8];
/** How FP8 weights' scales are stored: a configuration with `scale_fmt: "ue8m0"` may have their exponents alone. */
const SCALE_DTYPES: Readonly<Record<ScaleFormat, readonly string[]>> = {
  f32: ["F32"],
  ue8m0: ["F32", "F8_E8M0"],
};
/** Rows and columns of an FP8 weight that share a scale. */
const SCALE_BLOCK = 128;
const NAMES_IN_MESSAGE = 5;
const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";

/** Opens a checkpoint and checks everything but the values. Throws input errors. */
export function openCheckpoint(directory: string): Checkpoint {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw inputError(`${directory}: there is no such folder; a checkpoint is a folder with config.json`, {
      file: directory,
      path: "",
      found: "no folder",
      allowed: "a folder with config.json and *.safetensors",
    });
  }
  const configFile = join(directory, "config.json");
  const config = parseModelConfig(readJson(configFile), configFile);
  const entries = findEntries(directory);
  const required = requiredTensors(config);
  refuseMissing(directory, required, entries);
  for (const tensor of required) checkEntry(tensor, entries, config.scaleFormat);
  const source: WeightSource = {
    description: `checkpoint ${directory}`,
    read(name, shape) {
      const entry = entries.get(name);
      invariant(entry !== undefined, `${name} is no tensor of this model`);
      invariant(
        isSameShape(entry.shape, shape),
        `${name} is [${entry.shape.join(", ")}], not [${shape.join(", ")}]`,
      );
      return readValues(entry, entries);
    },
  };
  return { directory, config, source };
}

function findEntries(directory: string): Entries {
  const names = readdirSync(directory).toSorted();
  if (names.includes(SINGLE_FILE)) return entriesOf([join(directory, SINGLE_FILE)]);
  if (names.includes(INDEX_FILE)) return entriesOfIndex(directory);
  const candidates = names.filter((name) => name.endsWith(".safetensors"));
  if (candidates.length === 1) return entriesOf([join(directory, candidates[0]!)]);
  throw inputError(
    `${directory}: ${candidates.length === 0 ? "no" : "several"} *.safetensors and no ${INDEX_FILE} that lists them`,
    {
      file: directory,
      path: "",
      found: candidates,
      allowed: `${SINGLE_FILE}, ${INDEX_FILE}, or one *.safetensors`,
    },
  );
}

function entriesOf(files: readonly string[]): Entries {
  const entries = new Map<string, SafetensorsEntry>();
  for (const file of files) {
    for (const entry of readSafetensorsHeader(file)) entries.set(entry.name, entry);
  }
  return entries;
}

/** A tensor counts where the index says that it is, and must be there. */
function entriesOfIndex(directory: string): Entries {
  const file = join(directory, INDEX_FILE);
  const index = readJson(file);
  const shardByName = isJsonObject(index) ? index["weight_map"] : undefined;
  if (!isJsonObject(shardByName)) {
    throw inputError(`${file}: weight_map is no object`, {
      file,
      path: "weight_map",
      found: shardByName,
      allowed: "an object from tensor names to files",
    });
  }
  const shards = new Map<string, Entries>();
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, shard] of Object.entries(shardByName)) {
    if (typeof shard !== "string" || basename(shard) !== shard || shard === "") {
      throw inputError(
        `${file}: weight_map.${name} is ${JSON.stringify(shard)}; allowed: a file of the same folder`,
        {
          file,
          path: `weight_map.${name}`,
          found: shard,
          allowed: "a file of the same folder",
        },
      );
    }
    const inShard = shards.get(shard) ?? entriesOf([join(directory, shard)]);
    shards.set(shard, inShard);
    const entry = inShard.get(name);
    if (entry === undefined) {
      throw inputError(
        `${join(directory, shard)}: tensor ${name} is missing, and ${INDEX_FILE} says that it is here`,
        {
          file: join(directory, shard),
          path: name,
          found: "missing",
          allowed: "the tensor",
        },
      );
    }
    entries.set(name, entry);
  }
  return entries;
}

function refuseMissing(directory: string, required: readonly NamedShape[], entries: Entries): void {
  const missing = required.filter((tensor) => !entries.has(tensor.name)).map((tensor) => tensor.name);
  if (missing.length === 0) return;
  const first = missing.slice(0, NAMES_IN_MESSAGE).join(", ");
  const rest = missing.length > NAMES_IN_MESSAGE ? ` and ${missing.length - NAMES_IN_MESSAGE} more` : "";
  throw inputError(`${directory}: ${missing.length} tensors are missing: ${first}${rest}`, {
    file: directory,
    path: missing[0]!,
    found: "missing",
    allowed: `all ${required.length} tensors that config.json asks for`,
  });
}

function checkEntry(tensor: NamedShape, entries: Entries, scaleFormat: ScaleFormat): void {
  const entry = entries.get(tensor.name)!;
  if (!WEIGHT_DTYPES.includes(entry.dtype)) {
    throw refuseEntry(entry, "dtype", entry.dtype, WEIGHT_DTYPES.join(", "));
  }
  if (!isSameShape(entry.shape, tensor.shape)) {
    throw refuseEntry(
      entry,
      "shape",
      shapeText(entry.shape),
      `${shapeText(tensor.shape)}, as config.json has it`,
    );
  }
  if (entry.dtype !== FP8) return;
  if (tensor.shape.length !== 2)
    throw refuseEntry(entry, "dtype", entry.dtype, "F32, BF16, F16 for a vector");
  const scaleName = scaleNameOf(tensor.name);
  const scales = entries.get(scaleName);
  if (scales === undefined) {
    throw refuseEntry(entry, "dtype", entry.dtype, `F8_E4M3 only beside ${scaleName}, which is missing`);
  }
  const scaleDtypes = SCALE_DTYPES[scaleFormat];
  if (!scaleDtypes.includes(scales.dtype)) {
    throw refuseEntry(scales, "dtype", scales.dtype, scaleDtypes.join(", "));
  }
  const scaleShape = tensor.shape.map((size) => Math.ceil(size / SCALE_BLOCK));
  if (!isSameShape(scales.shape, scaleShape)) {
    throw refuseEntry(
      scales,
      "shape",
      shapeText(scales.shape),
      `${shapeText(scaleShape)}, one for each 128×128 block`,
    );
  }
}

/** `<name>.weight` has its scales in `<name>.weight_scale_inv`; they multiply, despite "inv". */
function scaleNameOf(name: string): string {
  return `${name}_scale_inv`;
}

function readValues(entry: SafetensorsEntry, entries: Entries): Float32Array {
  const values = entry.dtype === FP8 ? readBlocks(entry, entries) : readNumbers(entry);
  refuseNonFinite(entry, values);
  return values;
}

/** FP8 weights: the codes' values times the scales of their blocks. */
function readBlocks(entry: SafetensorsEntry, entries: Entries): Float32Array {
  const scaleEntry = entries.get(scaleNameOf(entry.name))!;
  const scales = readNumbers(scaleEntry);
  refuseNonFinite(scaleEntry, scales);
  const [rows, columns] = entry.shape;
  const values = new Float32Array(rows! * columns!);
  dequantizeBlocks(values, readEntryBytes(entry), scales, rows!, columns!, SCALE_BLOCK);
  return values;
}

function readNumbers(entry: SafetensorsEntry): Float32Array {
  return decodeNumbers(entry.dtype as NumberDtype, readEntryBytes(entry));
}

function refuseNonFinite(entry: SafetensorsEntry, values: Float32Array): void {
  const index = firstNonFinite(values);
  if (index < 0) return;
  throw inputError(
    `${entry.file}: tensor ${entry.name}: element ${index} is ${values[index]}; weights must be finite`,
    {
      file: entry.file,
      path: `${entry.name}[${index}]`,
      found: String(values[index]),
      allowed: "a finite number",
    },
  );
}

function refuseEntry(entry: SafetensorsEntry, what: string, found: string, allowed: string): Error {
  return inputError(`${entry.file}: tensor ${entry.name}: ${what} is ${found}; allowed: ${allowed}`, {
    file: entry.file,
    path: entry.name,
    found,
    allowed,
  });
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw inputError(`${file}: no readable JSON (${found})`, { file, path: "", found, allowed: "JSON" });
  }
}

function isSameShape(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((size, i) => size === right[i]);
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
