import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createFakeScreen } from "../fake-screen.ts";
import { runProgram } from "../main.ts";

const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-alltoall-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function alltoall(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const screen = createFakeScreen();
  const code = await runProgram(["alltoall", ...argv], screen);
  return { code, out: screen.printed.join("\n"), err: screen.remarked.join("\n") };
}

async function json(...argv: string[]): Promise<Record<string, unknown>> {
  return JSON.parse((await alltoall(...argv, "--json")).out) as Record<string, unknown>;
}

async function jsonList(...argv: string[]): Promise<Record<string, unknown>[]> {
  return JSON.parse((await alltoall(...argv, "--json")).out) as Record<string, unknown>[];
}

const widest = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));

/** A pattern of messages without kernels; `more`: of its fields, and of its receiving step. */
function patternFile(name: string, more: { fields?: string; received?: string } = {}): string {
  const file = path.join(folder, `${name}.ts`);
  const rows = (kernel: string, send: string, keep: string): string => `
    const sent = exchange.kernel({ name: "${kernel}", cost: [], after: [after] });
    const messages = exchange.others.map((to: number) => ({ to, bytes: 1000, content: exchange.${send}(to) }));
    exchange.send({ after: sent, messages });
    exchange.${keep}(exchange.rank, exchange.${send}(exchange.rank));`;
  const arrive = (keep: string, received = ""): string => `
    const arrived = yield* exchange.receive({ from: exchange.others });
    for (const { from, content } of arrived.messages) exchange.${keep}(from, content);
    ${received}
    return arrived;`;
  const steps = [
    `*sendDispatch(after: unknown) {${rows("dispatch.send", "rowsFor", "keepRows")} }`,
    `*receiveDispatch(): any {${arrive("keepRows", more.received)} }`,
    `*sendCombine(after: unknown) {${rows("combine.send", "outputsFor", "acceptRows")} }`,
    `*receiveCombine(): any {${arrive("acceptRows")} }`,
  ];
  writeFileSync(
    file,
    `export default { name: "${name}", sms: null, ${more.fields ?? ""} open: (exchange: any) => ({ ${steps.join(",\n")} }) };\n`,
  );
  return file;
}

describe("one all-to-all", () => {
  test("without options is DeepEP's benchmark of low latency, in 80 columns", async () => {
    const { code, out, err } = await alltoall();
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^low-latency, 16 ranks\n/);
    expect(out).toMatch(/cluster +h800, 2 nodes, 8 GPUs each, NVLink on\n/);
    expect(out).toMatch(/tokens +128 of each rank, hidden 7168, fp8 out, bf16 back\n/);
    expect(out).toMatch(/experts +288, 8 for a token, no groups, gate-like, seed 1\n/);
    expect(out).toMatch(/dispatch +\d+ µs +\d+ µs +\S+ GB\/s +\S+ MB +\S+ MB +240\n/);
    expect(out).toMatch(/combine +\d+ µs +\d+ µs +\S+ GB\/s +\S+ MB +\S+ MB +240\n/);
    expect(out).toContain("Logical, as in DeepEP: a copy for each expert of a token, local ones too.");
    expect(out).toContain("Layout, notify and launches stand apart, as in DeepEP: 2.50 µs before dispatch.");
    expect(out).toMatch(/a token goes to +6\.55 ranks in 1\.99 nodes/);
    expect(out).toMatch(/leaves +8 .*plane \d \/ leaf 0/);
    expect(widest(out)).toBeLessThanOrEqual(80);
  });

  test("by normal names nodes, and elides all but the busiest switches", async () => {
    const { out } = await alltoall(
      "--pattern",
      "normal",
      "--ranks",
      "32",
      "--nodes-per-leaf",
      "1",
      "--tokens",
      "99",
    );
    expect(out).toContain("a copy for each node that a token goes to, its own too.");
    expect(out).toMatch(/experts +256, 8 for a token, 4 of 4 groups/);
    // 8 planes of 4 leaves, each with 32 spines: static routing uses one spine for each node.
    expect(out).toContain("Busiest 8 of 64 switches\n");
    expect(out.match(/^ {2}plane \d \/ (?:leaf|spine) \d/gm)).toHaveLength(8);
    expect(widest(out)).toBeLessThanOrEqual(80);
  });

  test.each([
    [["--ranks", "8", "--pattern", "normal", "--tokens", "9"], "each rank that a token goes to"],
    [["--ranks", "1"], "Nothing crossed a wire."],
    [["--tokens", "0"], "0 GB/s"],
    [["--gpu", "gb200"], "nvlink-domain"],
    [["--fabric", "multi-rail", "--nodes-per-leaf", "1", "--spines", "2"], "rails, from NICs"],
    [["--fabric", "single-plane", "--routing", "ecmp", "--network", "roce"], "roce, ecmp routing"],
    [["--nvlink", "off"], "NVLink off"],
    [["--pcie", "on"], "PCIe shown"],
    [["--tokens", "0,5,128"], "0, 5, 128 of ranks in turn"],
    [
      ["--gate", "zipf:1.2", "--redundant-experts", "16"],
      "16 redundant ones, 8 for a token, no groups, zipf:1.2",
    ],
    [["--pattern", "normal", "--nvlink", "off", "--tokens", "50", "--sms", "24"], "24 SMs"],
  ])("%j shows it, in 80 columns", async (argv, expected) => {
    const { code, out, err } = await alltoall(...argv);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(expected);
    expect(widest(out)).toBeLessThanOrEqual(80);
  });
});

describe("--json", () => {
  test("has times, bandwidths, bytes, messages and tokens at the top", async () => {
    const result = await json(
      "--pattern",
      "low-latency",
      "--gate",
      "balanced",
      "--experts",
      "256",
      "--ranks",
      "16",
    );
    // 128 tokens · 8 of 256 experts: 4 rows for each of a rank's 16 experts, to each of 8 remote and 7 near ranks.
    const [out, back] = [16 * (4 * 7408 + 4), 16 * (4 * 14_336 + 4)];
    expect(result).toMatchObject({
      pattern: "low-latency",
      ranks: 16,
      dispatchRdmaBytes: 16 * 8 * out,
      combineRdmaBytes: 16 * 8 * back,
      // Of the remote ones, 7 of 8 are reached by a last hop over NVLink.
      dispatchNvlinkBytes: 16 * (7 + 7) * out,
      combineNvlinkBytes: 16 * (7 + 7) * back,
      rdmaBytes: 16 * 8 * (out + back),
      nvlinkBytes: 16 * 14 * (out + back),
      dispatchMessages: 240,
      combineMessages: 240,
      messages: 480,
      dispatchLogicalBytes: 128 * 8 * 7408,
      combineLogicalBytes: 128 * 8 * 14_336,
      preparationUs: 2.5,
      rowsPerRankMean: 1024,
      rowsPerRankMax: 1024,
    });
    const numbers = [
      "dispatchUs",
      "dispatchMaxUs",
      "combineUs",
      "combineMaxUs",
      "dispatchLogicalGBps",
      "combineLogicalGBps",
      "tokensPerRankMean",
      "tokensPerRankMax",
      "ranksPerToken",
      "nodesPerToken",
      "peakQueueBytes",
    ];
    for (const name of numbers) expect(result[name], name).toBeGreaterThan(0);
    expect(result["dispatchMaxUs"]).toBeGreaterThanOrEqual(result["dispatchUs"] as number);
  });

  test("has bytes and the peak queue of NVLink, planes, leaves and spines", async () => {
    const result = await json("--ranks", "32", "--nodes-per-leaf", "1", "--spines", "4");
    const lengths = ["nvlink", "planes", "leaves", "spines", "pcie"].map(
      (name) => (result[name] as unknown[]).length,
    );
    expect(lengths).toEqual([4, 8, 32, 32, 0]);
    const planes = result["planes"] as { name: string; bytes: number; peakQueueBytes: number }[];
    expect(planes[0]).toEqual({
      name: "plane 0",
      bytes: expect.any(Number),
      peakQueueBytes: expect.any(Number),
    });
    expect(planes.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(result["rdmaBytes"]);
  });

  test("has every option with its default, as it would be typed", async () => {
    expect((await json("--ranks", "8", "--gate", "zipf:0.5"))["options"]).toEqual({
      pattern: "low-latency",
      ranks: 8,
      tokens: [128],
      experts: 288,
      redundantExperts: 0,
      topk: 8,
      groups: 1,
      limitedGroups: 1,
      gate: "zipf:0.5",
      hidden: 7168,
      dispatch: "fp8",
      combine: "bf16",
      sms: 20,
      gpu: "h800",
      gpusPerNode: 8,
      nvlink: "on",
      fabric: "multi-plane",
      planes: 8,
      nodesPerLeaf: 32,
      spines: 32,
      switchPorts: 64,
      network: "infiniband",
      routing: "static",
      pcie: "off",
      seed: 1,
    });
  });

  test("of a pattern whose receiving step sends is run, unless it declares to receive only", async () => {
    const received = `
      const forwarded = exchange.kernel({ name: "dispatch.forward", cost: [], after: [arrived] });
      const messages = exchange.others.map((to: number) => ({ to, bytes: 8, content: 0 }));
      exchange.send({ after: forwarded, part: 1, messages });
      return yield* exchange.receive({ from: exchange.others, part: 1 });`;
    const run = (file: string) => alltoall("--ranks", "16", "--tokens", "8", "--pattern", file);
    const { code, err } = await run(patternFile("twice", { received }));
    expect([code, err]).toEqual([0, ""]);
    const refused = await run(patternFile("refused", { received, fields: "receivesOnly: true," }));
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/sends dispatch where it promised to send nothing: .*receivesOnly/);
  });

  test("is the same again, and follows from what it says of its options", async () => {
    const first = await alltoall("--pattern", "normal", "--tokens", "40", "--json");
    const argv = [
      "--pattern",
      "normal",
      "--tokens",
      "40",
      "--experts",
      "256",
      "--groups",
      "2",
      "--limited-groups",
      "2",
    ];
    expect((await alltoall(...argv, "--seed", "1", "--json")).out).toBe(first.out);
    expect((await alltoall(...argv, "--seed", "2", "--json")).out).not.toBe(first.out);
  });
});

describe("several all-to-alls", () => {
  test("stand in a table in the order of the sweeps, patterns last", async () => {
    const argv = [
      "--pattern",
      "direct,normal",
      "--pattern",
      "low-latency",
      "--sweep",
      "tokens=8,16",
      "--sweep",
      "ranks=8,16",
    ];
    const { code, out, err } = await alltoall(...argv);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^12 all-to-alls by tokens, ranks and pattern\n/);
    const rows = [...out.matchAll(/^ +(\d+) +(\d+) {2}(direct|normal|low-latency) +\S+ [µm]s/gm)];
    const expected = [8, 16].flatMap((tokens) =>
      [8, 16].flatMap((ranks) =>
        ["direct", "normal", "low-latency"].map((pattern) => [`${tokens}`, `${ranks}`, pattern]),
      ),
    );
    expect(rows.map((match) => match.slice(1))).toEqual(expected);
    expect(widest(out)).toBeLessThanOrEqual(80);
    const results = await jsonList(...argv);
    expect(results.map(({ pattern, ranks }) => [pattern, ranks])).toEqual(
      expected.map(([, ranks, name]) => [name, Number(ranks)]),
    );
  });

  test("patterns share tokens, experts and gate, so that their rows are the same", async () => {
    const results = await jsonList("--pattern", "direct,low-latency", "--ranks", "8");
    const [direct, lowLatency] = results.map(({ options }) => options as Record<string, unknown>);
    expect(direct).toEqual({ ...lowLatency, pattern: "direct" });
    expect(direct).toMatchObject({ tokens: [128], experts: 288, groups: 1 });
    expect(results[0]!["nvlinkBytes"]).toBe(results[1]!["nvlinkBytes"]);
  });

  test("the table says which defaults differ, and what did not fit", async () => {
    const { out } = await alltoall(
      "--sweep",
      "ranks=32,64",
      "--sweep",
      "gpu=h800,b200",
      "--sweep",
      "routing=static,ecmp",
      "--tokens",
      "4",
    );
    expect(out).toMatch(/experts +288 \/ 256, 8 for a token/);
    expect(out).toMatch(/Left out here, in --json: dispatch max, combine max,\speak queue\./);
    expect(out).not.toMatch(/cluster +h800/);
    expect(widest(out)).toBeLessThanOrEqual(80);
  });

  test("a sweep of one value is a list of one; options may be named as in JSON", async () => {
    expect(await jsonList("--sweep", "nodesPerLeaf=1")).toHaveLength(1);
    expect(await jsonList("--sweep", "nodes-per-leaf=1,2")).toHaveLength(2);
    const nvlink = await jsonList("--sweep", "nvlink=on,off", "--tokens", "4");
    expect(nvlink.map(({ options }) => (options as { nvlink: string }).nvlink)).toEqual(["on", "off"]);
  });

  test("show on a terminal which one goes on, and leave nothing there", async () => {
    const written: string[] = [];
    const progressStream = {
      write: (text: string) => written.push(text) > 0,
    } as unknown as NodeJS.WriteStream;
    const screen = { ...createFakeScreen(), progressStream };
    expect(await runProgram(["alltoall", "--sweep", "ranks=2,4", "--tokens", "4", "--json"], screen)).toBe(0);
    const cleared = "\r\u001B[K";
    expect(written).toEqual([
      `${cleared}alltoall: 1 of 2, ranks 2 …`,
      `${cleared}alltoall: 2 of 2, ranks 4 …`,
      cleared,
    ]);
    expect(screen.remarked).toEqual([]);
  });
});

describe("a pattern's file", () => {
  test("is found from the working directory, and compared like any other", async () => {
    const file = path.relative(process.cwd(), patternFile("mine"));
    const typed = file.startsWith(".") ? file : `./${file}`;
    const result = await json("--pattern", typed, "--ranks", "8", "--tokens", "4");
    expect(result).toMatchObject({
      pattern: "mine",
      nvlinkBytes: 2 * 56_000,
      options: { pattern: path.resolve(file) },
    });
    const { out } = await alltoall("--pattern", `direct,${typed}`, "--ranks", "8", "--tokens", "4");
    expect(out).toMatch(/^ {2}direct +\S+ µs/m);
    expect(widest(out)).toBeLessThanOrEqual(80);
  });
});

describe("help", () => {
  test("says which defaults hold, in 80 columns", async () => {
    const { code, out } = await alltoall("--help");
    expect(code).toBe(0);
    expect(out).toContain("$ windtunnel alltoall --ranks 32");
    expect(out).toContain("low-latency among them 128 tokens, 288 experts");
    expect(widest(out)).toBeLessThanOrEqual(80);
  });
});

describe("wrong input ends with 2 and one message that names the option", () => {
  test.each([
    [["--ranks", "12"], "--ranks: found 12, which do not fill nodes of 8 GPUs; allowed: a multiple of 8"],
    [
      ["--ranks", "0"],
      "'--ranks <count>' argument '0' is invalid. Found \"0\"; allowed: a whole number from 1",
    ],
    [["--tokens", "257"], "--tokens: found 257 tokens for low-latency; allowed: at most 256 on a rank"],
    [["--tokens", "1,x"], 'Found "x"; allowed: a whole number from 0 to 65536'],
    [["--ranks", "2", "--tokens", "1,2,3"], "--tokens: found 3 numbers for 2 ranks"],
    [["--pattern", "nomal"], "--pattern: no dispatch pattern is called nomal. Did you mean normal?"],
    [["--pattern", "./nowhere.ts"], "nowhere.ts, which is not there; allowed: a file"],
    [["--pattern", "direct,"], 'Found ""; allowed: a pattern'],
    [["--gate", "zipf"], 'Found "zipf"; allowed: balanced, gate-like, or zipf:S'],
    [["--gate", "zipf:-1"], "zipf:S with an exponent S above 0, such as zipf:1"],
    [["--gate", "even"], "balanced, gate-like, or zipf:S"],
    [
      ["--experts", "100"],
      "--experts: found 100 experts on 16 ranks, which do not divide; allowed: for example 112",
    ],
    [["--ranks", "40"], "--ranks: found 256 experts on 40 ranks, which do not divide"],
    [["--redundant-experts", "3"], "--redundant-experts: found 256 experts and 3 redundant ones on 16 ranks"],
    [["--groups", "7"], "--groups: found 288 experts in 7 groups, which do not divide"],
    [["--groups", "4", "--limited-groups", "5"], "--limited-groups: found 5 of 4 groups; allowed: 1 to 4"],
    [
      ["--groups", "72", "--limited-groups", "1"],
      "--limited-groups: found 8 experts of a token from 1 group of 4",
    ],
    [
      ["--topk", "9", "--groups", "72", "--limited-groups", "2"],
      "--topk: found 9 experts of a token from 2 groups of 4",
    ],
    [["--combine", "fp8"], 'Found "fp8"; allowed: bf16 or f32'],
    [["--dispatch", "fp4"], 'Found "fp4"; allowed: fp8, bf16 or f32'],
    [["--nvlink", "maybe"], 'Found "maybe"; allowed: on or off'],
    [["--fabric", "nvlink-domain", "--nvlink", "off"], "--nvlink: found off in an NVLink domain"],
    [["--fabric", "nvlink-domain", "--pcie", "on"], "--pcie: found on in an NVLink domain"],
    [["--fabric", "torus"], "multi-plane, multi-rail, single-plane or nvlink-domain"],
    [["--fabric", "nvlink-domain", "--ranks", "96"], "--ranks: found 24 nodes of 4 GPUs: 96 GPUs"],
    [["--gpu", "gb200", "--fabric", "multi-plane"], "--fabric: found multi-plane on gb200, which has no NIC"],
    [["--gpu", "h900"], "--gpu: no hardware profile is called h900. Did you mean h800?"],
    [["--gpu", "./nowhere.yaml"], "nowhere.yaml"],
    [["--planes", "9"], "--planes: found 9: a node of h800 has 8 NICs"],
    [["--nodes-per-leaf", "1", "--spines", "0"], "--spines: found 0: 2 leaves without an uplink"],
    [
      ["--nodes-per-leaf", "1", "--spines", "64"],
      "--spines: found 64: 1 nodes and 64 spines on a leaf of 64 ports",
    ],
    [
      ["--ranks", "64", "--nodes-per-leaf", "1", "--switch-ports", "4", "--spines", "3"],
      "at most 4 leaves: fewer nodes, more --nodes-per-leaf or more --switch-ports",
    ],
    [["--sms", "21", "--pattern", "normal"], "--sms: found 21; allowed: an even number of SMs"],
    [
      ["--sms", "132", "--pattern", "direct"],
      "--sms: found 132 of the 132 SMs of h800; allowed: less than 132",
    ],
    [["--sweep", "ranks=8,12"], "--ranks: found 12, which do not fill nodes"],
    [["--sweep", "ranks=8,many"], '--sweep ranks: Found "many"; allowed: a whole number'],
    [
      ["--sweep", "rank=8"],
      "--sweep: found rank=8; allowed: OPTION=VALUE,VALUE,… of an option, such as ranks=…",
    ],
    [["--sweep", "ranks"], "--sweep: found ranks; allowed: OPTION=VALUE"],
    [["--sweep", "json=1"], "OPTION=VALUE,VALUE,… of pattern, ranks, tokens"],
    [["--ranks", "8", "--sweep", "ranks=8,16"], "--ranks: found twice; allowed: --ranks once"],
    [["--sweep", "seed=1", "--sweep", "seed=2"], "--seed: found twice"],
    [["--pattern", "direct", "--sweep", "pattern=normal"], "--pattern: found twice"],
    [["16"], "too many arguments"],
  ])("%j", async (argv, expected) => {
    const { code, out, err } = await alltoall(...argv);
    expect(err).toContain(expected);
    expect(err).not.toMatch(/^\s+at /m);
    expect([code, out]).toEqual([2, ""]);
  });
});
