// Finished points on disk, each in a file of its own under the point's key. A file is there whole or not at all, whenever
// the process ends. What can't be read as a finished point is none, and its point is run again.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import path from "node:path";
import { WorldError } from "@windtunnel/base";
import { z } from "zod";
import { makeFolder } from "../make-folder.ts";
import { measuresSchema, type SweepMeasures } from "./measures.ts";

const SCHEMA = "windtunnel/sweep-point@1";

const storedPoint = z.object({ schema: z.literal(SCHEMA), key: z.string(), measures: measuresSchema });

export function storedMeasures(folder: string, key: string): SweepMeasures | undefined {
  let text: string;
  try {
    text = readFileSync(pointFile(folder, key), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const point = storedPoint.safeParse(parsed(text));
  return point.success && point.data.key === key ? point.data.measures : undefined;
}

/** `place` tells a reader which point this is; nothing else reads it. */
export function storeMeasures(
  folder: string,
  key: string,
  { place, measures }: { readonly place: string; readonly measures: SweepMeasures },
): void {
  const text = JSON.stringify({ schema: SCHEMA, key, point: place, measures }, undefined, 2);
  writeWhole(pointFile(folder, key), `${text}\n`);
}

/** Writes beside the file and renames: readers see all of it or what was there before. */
export function writeWhole(file: string, text: string): void {
  const beside = `${file}.${process.pid}.part`;
  try {
    makeFolder(path.dirname(file));
    const descriptor = openSync(beside, "w");
    try {
      writeSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(beside, file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WorldError("disk", `${file} can't be written: ${why}`, { file });
  }
}

function pointFile(folder: string, key: string): string {
  return path.join(folder, "points", `${key}.json`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
