// A user's pattern with a mistake, as a file of its own: each copy of an example has one line changed. The run says what
// is wrong, and where: which token of which rank, who waits for whom, which line of the file. It is never a bug of the
// emulator. patterns-wrong.proc.test.ts does the same through the command.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { WorldError } from "@windtunnel/base";
import { loadScenario, runScenario } from "@windtunnel/cluster";
import { afterAll, describe, expect, test } from "vitest";
import { writeTimedModel } from "./support/timed-models.ts";
import { type Change, changedExample, type ExampleName } from "./support/changed-example.ts";

const folder = mkdtempSync(path.join(tmpdir(), "test-of-windtunnel-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

interface More {
  readonly speeds?: Readonly<Record<number, { readonly speed: number }>>;
  readonly schedule?: "sequential" | "five-stage";
  /** Nothing is executed, and no layer is dense: no kernel of all SMs stands in a relay's way. */
  readonly withoutDense?: true;
}

/** One rank is slow, so that relays have to wait for it. */
const SLOW: More = { speeds: { 5: { speed: 0.05 } } };

/** What a run of two nodes with four GPUs each says before it gives up. Decode takes the pattern. */
async function failureOf(text: string, more: More = {}): Promise<WorldError> {
  const name = `pattern-${files++}.ts`;
  writeFileSync(path.join(folder, name), text);
  return failureOfFile(`./${name}`, more);
}

async function failureOfFile(
  dispatch: string,
  { speeds = {}, schedule = "sequential", withoutDense }: More = {},
): Promise<WorldError> {
  const scenario = {
    ...(withoutDense
      ? { model: { preset: "v3-small" }, math: "skip", timing: { model: writeTimedModel(folder, 3) } }
      : { model: { preset: "v3-tiny" } }),
    cluster: { nodes: 2, gpusPerNode: 4 },
    run: { decode: { dispatch, schedule } },
    workload: { requestsPerGpu: 2, promptTokens: 3, steps: 2 },
    overrides: { gpus: speeds },
  };
  const file = path.join(folder, "scenario.yaml");
  writeFileSync(file, JSON.stringify(scenario));
  const failed = await Promise.resolve()
    .then(() => runScenario(loadScenario(file), { outputFolder: path.join(folder, "run") }))
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  if (!(failed instanceof WorldError)) throw failed ?? new Error("the pattern was run");
  return failed;
}

describe("a pattern that goes wrong while it runs ends the run with 1, and", () => {
  const PLACE = String.raw`\(dispatch of layer 1, micro-batch 0, step 1\)`;

  test.each<readonly [string, ExampleName, readonly Change[], RegExp]>([
    [
      "one that forgets a token names it, its rank and its expert",
      "one-copy-per-rank",
      [
        [
          "sent = exchange.split(exchange.own, everyRank);",
          "sent = exchange.split(exchange.slice(exchange.own, 1)[rank === 3 ? 1 : 0]!, everyRank);",
        ],
      ],
      new RegExp(
        `^pattern one-copy-per-rank lost token [01] of rank \\d: for expert \\d+ on rank \\d it was sent to nobody ${PLACE}`,
      ),
    ],
    [
      "one that sends a token twice names it",
      "two-hops",
      [
        [
          "const content = [sets[unit.nodeOf(to)]!];",
          "const content = [sets[unit.nodeOf(to)]!, sets[unit.nodeOf(to)]!];",
        ],
      ],
      /sent token \d of rank \d to expert \d+ on rank \d twice/,
    ],
    [
      "one that keeps a token whose expert lives elsewhere says where that is",
      "one-copy-per-rank",
      [["kept[rank] = sent[rank]!;", "kept[rank] = exchange.own;"]],
      /kept token \d of rank \d for expert \d+, which lives on rank \d/,
    ],
    [
      "one that forgets what stays at home names it",
      "one-copy-per-rank",
      [
        [
          "kept[rank] = sent[rank]!;",
          "kept[rank] = exchange.slice(sent[rank]!, 1)[1] ?? sent[(rank + 1) % 8]!;",
        ],
      ],
      /lost token \d of rank \d: for expert \d+ on rank \d it was sent to nobody|kept token/,
    ],
    [
      "one whose relay drops a token says on which rank it ended",
      "two-hops",
      [
        [
          "const split = through.map((set)",
          "const split = through.filter((set) => set.source !== 5).map((set)",
        ],
      ],
      /lost token \d of rank 5 for expert \d+: it came to rank 1 and went no further|lost token \d of rank 5: /,
    ],
    [
      "one that does not wait for its relay is told to",
      "two-hops",
      [
        ["yield* relay!.join();", ""],
        ["after: [arrived, relayed!]", "after: [arrived]"],
      ],
      /ended receiveDispatch while 1 of its programs still ran; join|begin before a kernel of its relay ends/,
    ],
    [
      "one that accepts no outputs names a token without",
      "one-copy-per-rank",
      [["exchange.acceptTokens(back);", ""]],
      /lost token 0 of rank \d: it has no output of expert \d+ on rank \d \(combine of layer 1/,
    ],
    [
      "one that returns nothing names a token without",
      "two-hops",
      [["sumsByNode[unit.nodeOf(from)] = content;", "sumsByNode[unit.nodeOf(from)] = [];"]],
      /lost token \d of rank \d: it has no output of expert \d+ on rank \d/,
    ],
    [
      "one that throws is told the line",
      "one-copy-per-rank",
      [["exchange.keepTokens(kept);", "exchange.keepToken(kept);"]],
      /stopped on rank \d at line \d+: exchange\.keepToken is not a function/,
    ],
    [
      "one that holds more SMs than it declares is told how many",
      "one-copy-per-rank",
      [['name: "combine.send", cost,', 'name: "combine.send", sms: 30, cost,']],
      /declares 20 SMs and may hold 30: 30 on stream compute/,
    ],
    [
      "one whose relay is busy while its rank computes with all SMs is told how many would be needed",
      "two-hops",
      [["after: [arrived, copied],", "after: [arrived],"]],
      /at line \d+: 148 SMs are asked for at once, of 132/,
    ],
    [
      "one that promises kernels which it does not run is told what it promised",
      "one-copy-per-rank",
      [["from: others, least: cost", "from: others, least: exchange.copyCost(1e9)"]],
      /promised by `least` of its last wait that nothing follows before \d+ ps, and lets it at \d+ ps/,
    ],
    [
      "one that calls a kernel by a name that no trace knows is told those that are known",
      "one-copy-per-rank",
      [['name: "combine.send"', 'name: "send" as "combine.send"']],
      /issues a kernel called "send"; in combine traces know combine\.send, combine\.receive, combine\.forward/,
    ],
    [
      "one that names no kernel that made its messages is told so",
      "one-copy-per-rank",
      [["after: copied,", "after: undefined as never,"]],
      /sends messages without `after`, the kernel that made them/,
    ],
    [
      "one that copies fewer than no bytes is told how many",
      "one-copy-per-rank",
      [["exchange.copyCost(sum(sums", "exchange.copyCost(-sum(sums"]],
      /asks what it costs to copy -\d+ bytes/,
    ],
    [
      "one that sends to a rank that is not there is told how many there are",
      "one-copy-per-rank",
      [["messages: others.map((to) => ({ to,", "messages: others.map((to) => ({ to: to + 8,"]],
      /sends to rank \d+ of a unit of 8 ranks/,
    ],
  ])("%s", async (_, example, changes, message) => {
    const text = changedExample(example, ...changes);
    const { message: said, code, exitCode, details } = await failureOf(text, SLOW);
    expect(said).toMatch(message);
    expect([code, exitCode]).toEqual(["pattern", 1]);
    expect(String(details.file)).toMatch(/pattern-\d+\.ts$/);
  });

  test("one whose relay sends before its rank has promised to is told when that was", async () => {
    const text = changedExample("two-hops", ["after: [arrived, copied],", "after: [arrived],"]);
    const { message } = await failureOf(text, { ...SLOW, schedule: "five-stage", withoutDense: true });
    expect(message).toMatch(
      /at line \d+: rank \d sends dispatch at [\d.]+ µs and promised nothing before [\d.]+ µs/,
    );
  });

  test("one that waits for a message that nobody sends says who waits for whom, the longest first", async () => {
    const text = changedExample("one-copy-per-rank", [
      "messages: others.map((to) => ({ to, bytes: backBytes",
      "messages: others.filter((to) => to !== 5).map((to) => ({ to, bytes: backBytes",
    ]);
    const { message, code, exitCode } = await failureOf(text);
    expect([code, exitCode]).toEqual(["deadlock", 1]);
    const lines = message.split("\n").filter((line) => line.includes("program waits"));
    expect(lines[0]).toMatch(
      /^ {2}rank 5, program waits for combine of layer 1, micro-batch 0, step 1 since [\d.]+ µs; missing: rank 0, rank 1, rank 2, rank 3, rank 4, rank 6, rank 7$/,
    );
    const others = lines.slice(1).map((line) => line.replace(/^ {2}rank \d|since .* µs/g, ""));
    expect(new Set(others)).toEqual(
      new Set([", program waits for dispatch of layer 2, micro-batch 0, step 1 ; missing: rank 5"]),
    );
  });
});

describe("a file that is no pattern ends the run with 2, and", () => {
  const allowed = "an object with name, sms and open(exchange)";

  test.each<readonly [string, ExampleName, readonly Change[], RegExp]>([
    [
      "one that exports nothing says so",
      "one-copy-per-rank",
      [["export default pattern;", ""]],
      new RegExp(
        `pattern-\\d+\\.ts: default export: found nothing; allowed: ${allowed.replace(/[()]/g, String.raw`\$&`)}`,
      ),
    ],
    [
      "one that exports other names lists them",
      "one-copy-per-rank",
      [["export default pattern;", "export { pattern };"]],
      /default export: found only pattern; allowed/,
    ],
    [
      "one with a syntax error names the line",
      "one-copy-per-rank",
      [["sms: 20,", "sms: 20 20,"]],
      /\.ts, line \d+: can't be loaded as a dispatch pattern: Expected/,
    ],
    [
      "one that imports what is not there names it",
      "one-copy-per-rank",
      [["import type {", 'import "@windtunnel/nothing";\nimport type {']],
      /can't be loaded as a dispatch pattern: Cannot find package '@windtunnel\/nothing'/,
    ],
    [
      "one that throws while it is loaded names the line",
      "one-copy-per-rank",
      [["const HEADER_BYTES = 16;", "const HEADER_BYTES = nothing.at.all;"]],
      /\.ts, line \d+: can't be loaded as a dispatch pattern: nothing is not defined/,
    ],
    [
      "one without a step names it",
      "one-copy-per-rank",
      [["*sendCombine(", "*sendCombined("]],
      /pattern one-copy-per-rank: open\(\) gives no step sendCombine/,
    ],
    [
      "one with a step that is no program says what it gives",
      "one-copy-per-rank",
      [["*sendCombine(", "async sendCombine("]],
      /sendCombine gives a promise; it must give a program: \*sendCombine\(…\) \{ … \}/,
    ],
    [
      "one whose step gives nothing says what it must give",
      "one-copy-per-rank",
      [['return exchange.kernel({ name: "dispatch.receive"', 'exchange.kernel({ name: "dispatch.receive"']],
      /receiveDispatch gives nothing; it must give what follows depends on/,
    ],
    [
      "one without SMs says what is allowed",
      "one-copy-per-rank",
      [["sms: 20,", ""]],
      /sms: found nothing; allowed: a whole number of SMs, or null/,
    ],
    [
      "one with more SMs than the GPU has names both",
      "one-copy-per-rank",
      [["sms: 20,", "sms: 200,"]],
      /takes 200 SMs for communication; h800 has 132/,
    ],
  ])("%s", async (_, example, changes, message) => {
    const error = await failureOf(changedExample(example, ...changes));
    expect(error.message).toMatch(message);
    expect([error.code, error.exitCode]).toEqual(["input", 2]);
  });

  test.each([
    ["./nowhere.ts", /run\.decode\.dispatch: found .*nowhere\.ts, which is not there; allowed: a file/],
    ["./", /run\.decode\.dispatch: found .*, which is a folder; allowed: a file/],
    ["nomal", /no dispatch pattern is called nomal\. Did you mean normal\?/],
  ])("the name %s is told apart from a file", async (name, message) => {
    const error = await failureOfFile(name);
    expect(error.message).toMatch(message);
    expect(error.exitCode).toBe(2);
  });
});
