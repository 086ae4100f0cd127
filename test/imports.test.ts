// Who may import whom, as a table that runs. Imports go down the floors of the house only; every exception stands
// here with its reason. A package is entered through its door alone, and its package.json lists what it imports.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

interface Rules {
  readonly floor: number;
  readonly mayImport: readonly string[];
}

const MAY_IMPORT: Readonly<Record<string, Rules>> = {
  base: { floor: 1, mayImport: [] },
  tensor: { floor: 2, mayImport: ["base"] },
  "virtual-time": { floor: 2, mayImport: ["base"] },
  trace: { floor: 2, mayImport: ["base"] },
  model: { floor: 3, mayImport: ["base", "tensor"] },
  "network-plane": { floor: 3, mayImport: ["base", "trace", "virtual-time"] },
  gpu: { floor: 3, mayImport: ["base", "trace", "virtual-time", "network-plane"] },
  router: { floor: 4, mayImport: ["base", "tensor", "model"] },
  expert: {
    floor: 4,
    mayImport: ["base", "tensor", "trace", "virtual-time", "model", "gpu", "network-plane", "router"],
  },
  "attention-dp": { floor: 4, mayImport: ["base", "tensor", "trace", "virtual-time", "model", "gpu"] },
  transport: { floor: 4, mayImport: ["base"] },
  serving: {
    floor: 5,
    mayImport: [
      "base",
      "tensor",
      "virtual-time",
      "trace",
      "model",
      "network-plane",
      "gpu",
      "router",
      "expert",
      "attention-dp",
    ],
  },
  cluster: {
    floor: 6,
    mayImport: [
      "base",
      "tensor",
      "virtual-time",
      "trace",
      "model",
      "network-plane",
      "gpu",
      "router",
      "expert",
      "attention-dp",
      "transport",
      "serving",
    ],
  },
  fidelity: {
    floor: 6,
    mayImport: [
      "base",
      "virtual-time",
      "trace",
      "model",
      "network-plane",
      "gpu",
      "router",
      "attention-dp",
      "cluster",
    ],
  },
  cli: { floor: 7, mayImport: ["base", "tensor", "model", "trace", "network-plane", "cluster", "fidelity"] },
};

/** Imports on one floor, each with its reason. */
const SAME_FLOOR: Readonly<Record<string, string>> = {
  "gpu imports network-plane":
    "an NVLink domain is a switch with ports and links, and shares their arithmetic",
  "expert imports router": "dispatch and combine follow the router's layouts, row by row",
  "fidelity imports cluster": "published all-to-alls are compared with the emulated cluster's own",
};

const SCOPE = "@windtunnel/";
const root = fileURLToPath(new URL("../", import.meta.url));
const packages = readdirSync(path.join(root, "packages"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

interface Manifest {
  readonly exports: string | Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(root, folder, "package.json"), "utf8")) as Manifest;
}

/** One import as it stands in a file. */
interface Import {
  readonly file: string;
  readonly specifier: string;
}

/** Static imports and re-exports, also of types; imports for their effect; dynamic imports of a literal. */
const IMPORTS = [
  /^[ \t]*(?:import|export)\b[^;"'`]*?\bfrom[ \t]*["']([^"']+)["']/gmu,
  /^[ \t]*import[ \t]*["']([^"']+)["']/gmu,
  /\bimport\([ \t\n]*["']([^"']+)["']/gmu,
];
const COMMENTS = /\/\*[\s\S]*?\*\/|^[ \t]*\/\/.*$/gmu;

function specifiersIn(source: string): string[] {
  const code = source.replaceAll(COMMENTS, "");
  return IMPORTS.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ""));
}

function importsUnder(...folders: readonly string[]): Import[] {
  return folders
    .filter((folder) => existsSync(path.join(root, folder)))
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts") && !file.includes("node_modules"))
        .map((file) => path.join(folder, file)),
    )
    .sort()
    .flatMap((file) =>
      specifiersIn(readFileSync(path.join(root, file), "utf8")).map((specifier) => ({ file, specifier })),
    );
}

function importsOf(name: string): Import[] {
  const home = `packages/${name}`;
  return importsUnder(`${home}/src`, `${home}/bench`, `${home}/scripts`);
}

/** Tests and benchmarks look at a package from the side: what they need beside it is not what it stands on. */
function isBeside({ file }: Import): boolean {
  return (
    file.endsWith(".test.ts") ||
    file.includes(`${path.sep}bench${path.sep}`) ||
    file.includes(`${path.sep}test-support${path.sep}`)
  );
}

/** "gpu" for "@windtunnel/gpu" and for anything behind its door. */
function housePackage(specifier: string): string | undefined {
  return specifier.startsWith(SCOPE) ? specifier.slice(SCOPE.length).split("/")[0] : undefined;
}

/** The name under which npm knows what a specifier belongs to; undefined for Node's own and for files. */
function npmPackage(specifier: string): string | undefined {
  if (specifier.startsWith(".") || isBuiltin(specifier)) return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function unique(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))].sort();
}

/** Imports that break a rule, one a line, as a failed test shows them. */
function listed(imports: readonly Import[]): string[] {
  return unique(imports.map(({ file, specifier }) => `${file} imports ${specifier}`));
}

/** A package's door, or a second one that its package.json opens, such as "@windtunnel/tensor/bench". */
function isDoor(specifier: string): boolean {
  const name = housePackage(specifier);
  if (name === undefined || !packages.includes(name)) return false;
  const { exports } = manifestOf(`packages/${name}`);
  const doors = typeof exports === "string" ? { ".": exports } : exports;
  const file = doors[`.${specifier.slice(SCOPE.length + name.length)}`];
  return file !== undefined && existsSync(path.join(root, "packages", name, file));
}

describe("the import table", () => {
  test("has a row for every package and for nothing else", () => {
    expect(Object.keys(MAY_IMPORT).toSorted()).toEqual(packages.toSorted());
  });

  test("goes down the floors, but for the exceptions that it names", () => {
    const upwards = Object.entries(MAY_IMPORT).flatMap(([name, { floor, mayImport }]) =>
      mayImport
        .filter((other) => MAY_IMPORT[other]!.floor >= floor)
        .map((other) => `${name} imports ${other}`),
    );
    expect(upwards.toSorted()).toEqual(Object.keys(SAME_FLOOR).toSorted());
    for (const exception of upwards) {
      const [name = "", other = ""] = exception.split(" imports ");
      expect(MAY_IMPORT[other]!.floor, exception).toBe(MAY_IMPORT[name]!.floor);
    }
  });

  test("finds every form of an import, and none in a comment", () => {
    const source = [
      'import { a } from "one";',
      "import {",
      "  type B,",
      '} from "two";',
      'import type { C } from "three";',
      'export * from "four";',
      'import "five";',
      'const d = await import("six");',
      'let e: import("seven").E;',
      '// import { f } from "not this";',
      '/* import "nor this"; */',
    ].join("\n");
    const found = ["five", "four", "one", "seven", "six", "three", "two"];
    expect(specifiersIn(source).toSorted()).toEqual(found);
  });
});

describe.each(packages)("%s", (name) => {
  const imports = importsOf(name);
  const rules = MAY_IMPORT[name];
  const manifest = manifestOf(`packages/${name}`);
  const dependencies = Object.keys(manifest.dependencies ?? {});

  test("imports what its row of the table allows", () => {
    const forbidden = imports.filter((found) => {
      const other = housePackage(found.specifier);
      if (other === undefined || other === name) return false;
      // Tests and benchmarks may look at anything below the cli.
      return isBeside(found) ? other === "cli" : rules?.mayImport.includes(other) !== true;
    });
    expect(listed(forbidden)).toEqual([]);
  });

  test("enters other packages through their doors", () => {
    const deep = imports.filter(
      ({ specifier }) => housePackage(specifier) !== undefined && !isDoor(specifier),
    );
    expect(listed(deep)).toEqual([]);
  });

  test("leaves its folder by no relative path", () => {
    const home = path.join("packages", name) + path.sep;
    const outside = imports.filter(
      ({ file, specifier }) =>
        specifier.startsWith(".") && !path.join(path.dirname(file), specifier).startsWith(home),
    );
    expect(listed(outside)).toEqual([]);
  });

  test("lists in its package.json exactly what it imports", () => {
    const tools = Object.keys(manifestOf(".").devDependencies ?? {});
    const needed = imports
      .filter((found) => !isBeside(found))
      .map(({ specifier }) => npmPackage(specifier))
      .filter((dependency) => dependency !== `${SCOPE}${name}`);
    // Tests and benchmarks may use the repository's tools and any package of the house.
    const beside = imports
      .filter(isBeside)
      .map(({ specifier }) => npmPackage(specifier))
      .filter(
        (dependency) =>
          dependency !== undefined && !dependency.startsWith(SCOPE) && !tools.includes(dependency),
      );
    expect(dependencies.toSorted()).toEqual(unique([...needed, ...beside]));
  });

  test("has a README", () => {
    expect(existsSync(path.join(root, "packages", name, "README.md"))).toBe(true);
  });
});

describe("the tests that cross packages", () => {
  const imports = importsUnder("test");

  test("import packages below the cli, through their doors", () => {
    const wrong = imports.filter(({ specifier }) => {
      const other = housePackage(specifier);
      return other !== undefined && (other === "cli" || !isDoor(specifier));
    });
    expect(listed(wrong)).toEqual([]);
  });

  test("leave their folder by no relative path", () => {
    const outside = imports.filter(
      ({ file, specifier }) =>
        specifier.startsWith(".") && !path.join(path.dirname(file), specifier).startsWith(`test${path.sep}`),
    );
    expect(listed(outside)).toEqual([]);
  });
});
