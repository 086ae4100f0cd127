import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { createFakeScreen } from "./fake-screen.ts";
import { runProgram } from "./main.ts";

const home = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function windtunnel(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const screen = createFakeScreen();
  const code = await runProgram(argv, screen);
  return { code, out: screen.printed.join("\n"), err: screen.remarked.join("\n") };
}

function widestLine(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

const COMMANDS = [
  "run",
  "sweep",
  "start",
  "generate",
  "models",
  "fabric",
  "topology",
  "validate",
  "analyze",
  "export",
  "bench",
  "schema",
];

describe("help", () => {
  test("lists every subcommand and ends with 0", async () => {
    const { code, out, err } = await windtunnel("--help");
    expect([code, err]).toEqual([0, ""]);
    for (const name of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${name} `, "m"));
    expect(widestLine(out)).toBeLessThanOrEqual(80);
  });

  test.each(COMMANDS)("of %s has an example and --json, in 80 columns", async (name) => {
    const { code, out } = await windtunnel(name, "--help");
    expect(code).toBe(0);
    expect(out).toContain(`$ windtunnel ${name}`);
    expect(out).toContain("--json");
    expect(widestLine(out)).toBeLessThanOrEqual(80);
  });
});

describe("wrong usage ends with 2 and one message on standard error", () => {
  test.each([
    [["rnu"], "Did you mean run?"],
    [["run"], "missing required argument 'scenario'"],
    [["run", "x.yaml", "--wrong"], "unknown option '--wrong'"],
    [["run", "/nowhere/x.yaml"], "there is no such file"],
    [["generate", "v3-tiny", "--prompt-ids", "1"], "--max-new-tokens"],
    [["generate", "v3-tiny", "--prompt-ids", "", "--max-new-tokens", "1"], "whole numbers with commas"],
    [["generate", "v3-tiny", "--prompt-ids", "1,a", "--max-new-tokens", "1"], "whole numbers with commas"],
    [["generate", "v3-tiny", "--prompt-ids", "1", "--max-new-tokens", "0"], "a whole number of at least 1"],
    [["generate", "v3-tiny", "--prompt-ids", "512", "--max-new-tokens", "1"], "0 to 511"],
    [["generate", "deepseek-v3", "--prompt-ids", "1", "--max-new-tokens", "1"], "for timing only"],
    [["generate", "/nowhere", "--prompt-ids", "1", "--max-new-tokens", "1"], "no folder /nowhere"],
    [["fabric"], "missing required argument 'file'"],
    [["fabric", "/nowhere/flows.json"], "there is no such file"],
    [["fabric", path.join(home, "README.md")], "not JSON"],
    [["fabric", path.join(home, "package.json")], 'unknown field "license"'],
    [
      ["fabric", "test/fixtures/fabric-small.json", "--model", "packets"],
      "Allowed choices are trains, fluid",
    ],
    [
      ["run", path.join(home, "examples/one-node-direct.yaml"), "--no-traces", "--trace-steps", "1"],
      "--trace-steps chooses what traces show, and --no-traces leaves them out",
    ],
    [["bench", "mo"], "one of matmul, transport, events, moe"],
    [["bench", "moe", "--ranks", "3"], "a divisor of the 256 experts"],
    [["bench", "moe", "--placement", "thread:2"], "threads:N"],
  ])("%j", async (argv, expected) => {
    const { code, out, err } = await windtunnel(...argv);
    expect(err).toContain(expected);
    expect(err).not.toMatch(/^\s+at /m);
    expect([code, out]).toEqual([2, ""]);
  });

  test("a wrong field is named, and the output folder is not made", async () => {
    const file = path.join(folder, "wrong.yaml");
    writeFileSync(file, "model: { preset: v3-tiny }\ncluster: { nodez: 1 }\n");
    const { code, err } = await windtunnel("run", file, "--out", path.join(folder, "out"));
    expect(code).toBe(2);
    expect(err).toBe(
      `error: ${file}: line 2: cluster.nodez: unknown field "nodez"; the nearest known name is "nodes"\n` +
        "  allowed  nodes, gpusPerNode, fabric",
    );
  });

  test("an output folder that is a file is refused", async () => {
    const file = path.join(folder, "good.yaml");
    writeFileSync(file, "model: { preset: v3-tiny }\n");
    const { code, err } = await windtunnel("run", file, "--out", file);
    expect([code, err]).toEqual([2, expect.stringContaining("can't be written: it is a file")]);
    const inside = await windtunnel("run", file, "--out", path.join(file, "deeper"));
    expect([inside.code, inside.err]).toEqual([2, expect.stringContaining("a part of its path is a file")]);
  });
});

describe("models", () => {
  test("prints sizes and memory in 80 columns, and everything as JSON", async () => {
    const { code, out } = await windtunnel("models");
    expect(code).toBe(0);
    expect(out).toMatch(/v3-scale +8 \(1\) +256 +256 x 128 +8 +\S+ M +\d+ MB/);
    expect(widestLine(out)).toBeLessThanOrEqual(80);
    const presets = JSON.parse((await windtunnel("models", "--json")).out) as { name: string }[];
    expect(presets.map((preset) => preset.name)).toContain("v3-scale");
  });
});

describe("generate", () => {
  const prompt = ["generate", "v3-tiny", "--prompt-ids", "1,2,3", "--max-new-tokens", "3"];

  test("prints tokens, and with --json --logits the first logits too", async () => {
    const { code, out } = await windtunnel(...prompt, "--json", "--logits");
    const { tokens, logits } = JSON.parse(out) as { tokens: number[]; logits: number[] };
    expect([code, tokens.length, logits.length]).toEqual([0, 3, 512]);
    expect(logits.indexOf(Math.max(...logits))).toBe(tokens[0]);
    expect((await windtunnel(...prompt)).out).toBe(tokens.join(" "));
  });

  test("draws other weights from another seed", async () => {
    const [one, other] = [await windtunnel(...prompt), await windtunnel(...prompt, "--seed", "2")];
    expect(one.out).not.toBe(other.out);
  });
});

describe("fabric", () => {
  const file = path.join(home, "../../test/fixtures/fabric-small.json");
  interface Flows {
    readonly oracle: string;
    readonly fabric: object;
    readonly flows: readonly { readonly startNs: number; readonly finishNs: number }[];
  }

  test("prints flows, makespan, slowdowns and the busiest links in 80 columns", async () => {
    for (const model of ["trains", "fluid"]) {
      const { code, out } = await windtunnel("fabric", file, "--model", model);
      expect(code).toBe(0);
      expect(out).toMatch(/flows +40, \S+ MB/);
      expect(out).toMatch(/makespan +110 µs from the first start/);
      expect(out).toMatch(/plane \d \/ \S+ \d+ > \S+ \d+ +\S+ .B +\S+ µs +\S+ %/);
      expect(
        Math.max(
          ...out
            .split("\n")
            .slice(1)
            .map((line) => line.length),
        ),
      ).toBeLessThanOrEqual(80);
    }
  });

  test("gives the file with a finishNs for each flow, and takes what it gave", async () => {
    const given = JSON.parse(readFileSync(file, "utf8")) as Flows;
    const { out } = await windtunnel("fabric", file, "--model", "fluid", "--json");
    const made = JSON.parse(out) as Flows;
    expect(made.oracle).toBe("windtunnel fabric --model fluid");
    expect(made.fabric).toEqual(given.fabric);
    expect(made.flows.map((flow) => ({ ...flow, finishNs: 0 }))).toEqual(
      given.flows.map((flow) => ({ ...flow, finishNs: 0 })),
    );
    for (const [index, { startNs, finishNs }] of given.flows.entries()) {
      expect(Math.abs(made.flows[index]!.finishNs - finishNs) / (finishNs - startNs)).toBeLessThan(1e-5);
    }
    const again = path.join(folder, "flows.json");
    writeFileSync(again, out);
    expect((await windtunnel("fabric", again, "--model", "fluid", "--json")).out).toBe(out);
    // `trains` is what there is without --model.
    const trains = (await windtunnel("fabric", file, "--model", "trains", "--json")).out;
    expect((await windtunnel("fabric", file, "--json")).out).toBe(trains);
    expect(trains).not.toBe(out);
  });

  test("says that it has nothing to say of a file without flows", async () => {
    const { fabric } = JSON.parse(readFileSync(file, "utf8")) as Flows;
    const empty = path.join(folder, "empty.json");
    writeFileSync(empty, JSON.stringify({ fabric, flows: [] }));
    expect(await windtunnel("fabric", empty)).toMatchObject({ code: 0, err: "" });
  });
});

describe("schema", () => {
  test("prints the JSON Schema", async () => {
    const { out } = await windtunnel("schema");
    expect(JSON.parse(out)).toMatchObject({ title: "Windtunnel scenario, version 1", required: ["model"] });
  });
});
