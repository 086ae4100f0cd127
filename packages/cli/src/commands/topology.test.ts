import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createFakeScreen } from "../fake-screen.ts";
import { runProgram } from "../main.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-topology-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function topology(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const screen = createFakeScreen();
  const code = await runProgram(["topology", ...argv], screen);
  return { code, out: screen.printed.join("\n"), err: screen.remarked.join("\n") };
}

const widest = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));

describe("a fabric", () => {
  test("without options is the published deployment, drawn and counted", async () => {
    const { code, out, err } = await topology();
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/endpoints +2,048 NICs of 2,048 GPUs/);
    expect(out).toMatch(/leaves +64, with 32 down and 32 up of 64 ports in use/);
    expect(out).toMatch(/spines +256, with 8 down of 64 ports in use/);
    expect(out).toMatch(/same leaf +2\.80 µs[\s\S]*across leaves +3\.70 µs/);
    expect(out).toContain(
      [
        "  ┌─────────────┐ ┌─────────────┐           ┌─────────────┐",
        "  │   spine 0   │ │   spine 1   │   · · ·   │  spine 31   │",
        "  └─────────────┘ └─────────────┘           └─────────────┘",
        "         ├───────────────┼─────────────────────────┤  each to each",
      ].join("\n"),
    );
  });

  test.each([
    [["--nodes", "2"], /spines +none: one leaf needs none/],
    [["--nodes", "4", "--nodes-per-leaf", "1", "--spines", "4"], /│ +spine 3 +│/],
    [["--kind", "multi-rail", "--nodes", "64"], /│ +rail 7 +│[\s\S]*always so from rail to rail/],
    [["--kind", "multi-rail", "--planes", "1", "--nodes", "65"], /1 rail under shared spines/],
    [["--kind", "single-plane", "--nodes", "6"], /nodes 4-5[\s\S]*8 NICs each/],
    [["--kind", "nvlink-domain"], /NVLink switch[\s\S]*72 GPUs[\s\S]*any two GPUs +3\.33 µs/],
    [["--nodes", "2048", "--switch-ports", "64", "--network", "roce"], /16,384 NICs[\s\S]*5\.60 µs/],
    [["--compare"], /Dragonfly +261,632 +16,352 +384,272 +1,522 +5\.8/],
    [["--compare", "--radix", "32"], /FT2 +512 +48 +512 +– +–/],
  ])("%j is shown in 80 columns", async (argv, expected) => {
    const { code, out, err } = await topology(...argv);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(expected);
    expect(widest(out)).toBeLessThanOrEqual(80);
  });

  test("from a file, in YAML or JSON, with options over it", async () => {
    const yaml = write(
      "mine.yaml",
      "kind: multi-rail\nnodes: 16\nplanes: 4\nnodesPerLeaf: 8\nlinkGBps: 41\n",
    );
    const json = write(
      "mine.json",
      '{"kind":"multi-rail","nodes":16,"planes":4,"nodesPerLeaf":8,"linkGBps":41}',
    );
    const made = JSON.parse((await topology(yaml, "--json")).out) as Record<string, unknown>;
    expect(made).toMatchObject({
      topology: { kind: "multi-rail", nodes: 16, planes: 4, network: "infiniband", linkGBps: 41 },
      // 16 nodes × 4 NICs; 4 rails × 2 leaves and 32 spines; 8 × 32 cables; half of 64 NICs.
      counts: { endpoints: 64, switches: 40, switchLinks: 256, bisectionBytesPerSecond: 32 * 41e9 },
      latencyUs: { sameLeaf: 2.8, acrossLeaves: 3.7, relayed: null, nvlink: 3.33 },
    });
    expect(JSON.parse((await topology(json, "--json")).out)).toEqual(made);
    const other = JSON.parse(
      (await topology(yaml, "--spines", "3", "--kind", "multi-plane", "--json")).out,
    ) as object;
    expect(other).toMatchObject({ counts: { switches: 4 * (2 + 3) } });
    // What it prints is a topology file again.
    const again = write("again.json", JSON.stringify(made["topology"]));
    expect(JSON.parse((await topology(again, "--json")).out)).toEqual(made);
  });

  test("may have every field that the README shows", async () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const example = /```yaml\n(kind: multi-rail\n[^`]*)```/.exec(readme)![1]!;
    const { out } = await topology(write("readme.yaml", example), "--json");
    const asOptions = await topology("--kind", "multi-rail", "--nodes", "64", "--json");
    expect(out).toBe(asOptions.out);
    const { topology: shown } = JSON.parse(out) as { topology: object };
    for (const name of Object.keys(shown)) expect(example).toContain(`${name}: `);
  });

  test("--compare --json has the published table", async () => {
    const { out } = await topology("--compare", "--json");
    expect(JSON.parse(out)).toMatchObject({
      radix: 64,
      topologies: [{ name: "FT2", endpoints: 2048, switches: 96, links: 2048 }, {}, {}, {}, {}],
    });
  });
});

describe("wrong input ends with 2 and one message", () => {
  test.each([
    [["--nodes", "many"], 'Found "many"; allowed: a number'],
    [["--nodes", "-1"], "nodes: found -1; allowed: a whole number from 1"],
    [["--kind", "torus"], "Allowed choices are multi-plane, multi-rail, single-plane, nvlink-domain"],
    [["--nodes", "40", "--spines", "0"], "spinesPerPlane: found 0: 2 leaves without an uplink"],
    [["--gpus-per-node", "2", "--planes", "3"], "nobody hangs on plane 2; allowed: 1 to 2"],
    [["--kind", "nvlink-domain", "--nodes", "100"], "400 GPUs at one NVLink switch; allowed: at most 72"],
    [["--switch-ports", "32", "--spines", "20"], "16 nodes and 20 spines on a leaf of 32 ports"],
    [["--radix", "64"], "--radix: found 64; allowed: beside --compare"],
    [["--compare", "--radix", "7"], "--radix: found 7; allowed: an even number from 8 to 1024"],
    [["--compare", "--nodes", "7"], "--compare: found nodes beside it"],
    [["/nowhere/fabric.yaml"], "there is no such file"],
    [[write("list.yaml", "- 1\n")], "found [1]; allowed: fields among kind"],
    [[write("empty.yaml", "")], "found nothing; allowed: fields among kind"],
    [[write("broken.yaml", "nodes: [1\n")], "neither JSON nor YAML"],
    [
      [write("zero.yaml", "linkGBps: .inf\n")],
      "linkGBps: found Infinity; allowed: 1e9 bytes per second, above 0",
    ],
    [[write("latency.yaml", "linkLatencyNs: 0\n")], "linkLatencyNs: found 0; allowed: nanoseconds, above 0"],
    [[write("typo.yaml", "nodez: 4\n")], 'unknown field "nodez"'],
  ])("%j", async (argv, expected) => {
    const { code, out, err } = await topology(...argv);
    expect(err).toContain(expected);
    expect(err).not.toMatch(/^\s+at /m);
    expect([code, out]).toEqual([2, ""]);
  });
});
