// What a point is known by when it is stored: a digest of everything that its measures follow from, which is the scenario,
// what is in the files that it names, and Windtunnel's own code. Not in it: names, and where the run sits.

import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type FileReference, fileReferences } from "../scenario/file-references.ts";
import type { Scenario } from "../scenario/index.ts";

export type KeyOfScenario = (scenario: Scenario) => string;

/** Files are read once for all points: they must not change while a sweep is planned. */
export function createKeys(): KeyOfScenario {
  const digests = new Map<string, string>();
  const digestOnce = (file: string): string => {
    const known = digests.get(file) ?? fileDigest(file);
    digests.set(file, known);
    return known;
  };
  const code = codeDigest();
  return (scenario) => {
    const { name: _, placement: __, ...rest } = scenario;
    const files = fileReferences(scenario)
      .flatMap(filesOf)
      .map((file) => [file, digestOnce(file)]);
    return sha256(JSON.stringify({ code, scenario: rest, files }));
  };
}

/** The files behind a reference; a checkpoint's are those that are read of it. */
function filesOf({ file, kind }: FileReference): string[] {
  if (kind === "file") return [file];
  if (kind === "module") return [...modulesFrom(file, new Set())];
  return readdirSync(file)
    .filter((name) => name === "config.json" || /\.safetensors(?:\.index\.json)?$/.test(name))
    .sort()
    .map((name) => path.join(file, name));
}

/** `from "./x.ts"`, `import "./x.ts"`, `import("./x.ts")`, `require("./x.cjs")` */
const RELATIVE_IMPORT = /\b(?:from|import|require)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g;

/** A module and what it imports by a relative path. */
function modulesFrom(file: string, found: Set<string>): Set<string> {
  if (found.has(file) || !existsSync(file)) return found;
  found.add(file);
  for (const [, specifier] of readFileSync(file, "utf8").matchAll(RELATIVE_IMPORT)) {
    modulesFrom(path.resolve(path.dirname(file), specifier!), found);
  }
  return found;
}

const CHUNK_BYTES = 1 << 20;

/** In parts: a checkpoint's file may be larger than what a buffer holds. */
function fileDigest(file: string): string {
  const hash = createHash("sha256");
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const descriptor = openSync(file, "r");
  try {
    for (;;) {
      const byteCount = readSync(descriptor, chunk, 0, CHUNK_BYTES, null);
      if (byteCount === 0) return hash.digest("hex");
      hash.update(chunk.subarray(0, byteCount));
    }
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Over the sources of this package and of those below it: after an update, points of the earlier version would stand in
 * one table with new ones.
 */
function codeDigest(): string {
  const home = fileURLToPath(new URL("../../", import.meta.url));
  const hash = createHash("sha256");
  for (const source of [home, ...packagesBelow(home)].map((folder) => path.join(folder, "src"))) {
    const names = readdirSync(source, { recursive: true, encoding: "utf8" }).sort();
    for (const name of names) {
      if (!/\.(?:ts|json)$/.test(name) || name.endsWith(".test.ts")) continue;
      hash
        .update(`${name}\0`)
        .update(readFileSync(path.join(source, name)))
        .update("\0");
    }
  }
  return hash.digest("hex");
}

function packagesBelow(home: string): string[] {
  const { dependencies } = JSON.parse(readFileSync(path.join(home, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return Object.keys(dependencies)
    .filter((name) => name.startsWith("@windtunnel/"))
    .sort()
    .map((name) => fileURLToPath(new URL("../", import.meta.resolve(name))));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
