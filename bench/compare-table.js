// The table of `bench/compare.sh`: rates of both sides, their ratio, and what each counterpart does and does not do.
// Reads a folder of outputs, one for each turn, benchmark and side; knows nothing of how they came about. Refuses a ratio
// between different work. Plain JavaScript for Node 20 and later.

import { readFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";

/**
 * One line of the table. Both sides name their own row and rate; `same` is work that must be equal on both sides, or,
 * with `per`, equal for each of those.
 */
const LINES = [
  ...[256, 128].flatMap((inputSize) =>
    [4, 16, 64, 256].map((rowCount) => {
      const name = `${rowCount} x ${inputSize} x 256`;
      return { bench: "matmul", title: `product of ${name}`, rows: [name, name], rate: "GF/s", same: [] };
    }),
  ),
  ...["token-layers/s", "token-layers/CPU-s"].map((rate) => ({
    bench: "moe",
    title: "MoE layers, 2 processes",
    rows: ["MoE layers", "MoE layers"],
    rate,
    same: ["tokens", "token-layers", "rows to experts", "multiply-adds"],
  })),
  ...["ipc", "tcp"].map((transport) => ({
    bench: "transport",
    title: `small frames, ${transport}`,
    rows: [`Small frames: ZeroMQ, ${transport}`, "Small frames: gloo"],
    rate: "frames/s",
    same: ["frames"],
  })),
  ...["ipc", "tcp"].map((transport) => ({
    bench: "transport",
    title: `payloads of 1 MiB, ${transport}`,
    rows: [`Payloads of 1 MiB: ZeroMQ, ${transport}`, "Payloads of 1 MiB: gloo"],
    rate: "MB/s",
    same: ["frames"],
  })),
  {
    bench: "events",
    title: "all-to-all of 64 ranks",
    rows: ["All-to-all of 64 ranks", "All-to-all of 64 ranks"],
    rate: "messages/s",
    same: ["bytes over links"],
    per: "messages",
  },
];

const COUNTERPARTS = {
  matmul: {
    name: "OpenBLAS",
    text: [
      "one thread, vectors as wide as the processor has, sums in any order;",
      "Windtunnel: 128-bit WebAssembly, sums in a stated order",
    ],
  },
  moe: {
    name: "PyTorch, gloo",
    text: [
      "real bytes between processes, no fabric, no virtual time; all ranks of a",
      "process as one batch, softmax gate; Windtunnel: each rank by itself, bits",
      "checked",
    ],
  },
  transport: {
    name: "gloo",
    text: [
      "raw tensors over TCP on loopback; Windtunnel: typed values, encoded,",
      "with a CRC-32, over ZeroMQ",
    ],
  },
  events: {
    name: "SimGrid",
    text: [
      "time of flows that share links, no hops, no tensors; Windtunnel: an event",
      "for each hop and queues at links, no tensors in this benchmark either",
    ],
  },
};

const [folder, turnText, ...benches] = process.argv.slice(2);
const turns = Array.from({ length: Number(turnText) }, (_, turn) => turn + 1);
if (folder === undefined || turns.length === 0 || benches.length === 0) {
  console.error("compare-table.js: is run by bench/compare.sh");
  process.exit(2);
}
printTable(LINES.filter(({ bench }) => benches.includes(bench)).map(compare));
printCounterparts();

function compare(line) {
  const pairs = turns.map((turn) => {
    const sides = ["windtunnel", "counterpart"].map((side, i) => {
      return findRow(readRows(turn, line.bench, side), line.rows[i], side);
    });
    refuseOtherWork(line, sides);
    return sides.map(({ rates }) => rates[line.rate]);
  });
  const ratios = pairs.map(([own, other]) => own / other);
  return [
    line.title,
    line.rate,
    COUNTERPARTS[line.bench].name,
    number(median(pairs.map(([own]) => own))),
    number(median(pairs.map(([, other]) => other))),
    number(median(ratios)),
    `${number(Math.min(...ratios))} to ${number(Math.max(...ratios))}`,
  ];
}

function readRows(turn, bench, side) {
  const text = readFileSync(path.join(folder, `${turn}.${bench}.${side}`), "utf8");
  if (bench !== "matmul") return JSON.parse(text);
  if (side === "counterpart") return readProducts(text);
  return JSON.parse(text).map(({ name, simdGflops }) => ({ name, work: {}, rates: { "GF/s": simdGflops } }));
}

/** Lines such as "  4 x 256 x 256    61.3 GF/s". */
function readProducts(text) {
  return [...text.matchAll(/^ *(\d+ x \d+ x \d+) +([\d.]+) GF\/s$/gm)].map(([, name, gflops]) => {
    return { name, work: {}, rates: { "GF/s": Number(gflops) } };
  });
}

function findRow(rows, start, side) {
  const row = rows.find(({ name }) => name.startsWith(start));
  if (row === undefined)
    fail(`the ${side} has no row "${start}", only ${rows.map(({ name }) => name).join("; ")}`);
  return row;
}

function refuseOtherWork({ title, same, per }, sides) {
  for (const name of same) {
    const [own, other] = sides.map(({ work }) => (per === undefined ? work[name] : work[name] / work[per]));
    if (own !== other) fail(`${title}: ${name} differ, ${own} and ${other}; their ratio would say nothing`);
  }
}

function printTable(lines) {
  const titles = ["work", "rate", "counterpart", "Windtunnel", "counterpart's", "ratio", "ratios of turns"];
  const table = [titles, ...lines];
  const widths = titles.map((_, column) => Math.max(...table.map((line) => line[column].length)));
  console.log();
  for (const line of table) {
    const cells = line.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])));
    console.log(cells.join("  ").trimEnd());
  }
  const count = turns.length === 1 ? "one turn" : `${turns.length} turns`;
  console.log(`\nMedians of ${count}, each column by itself; the ratio is the median of the turns' ratios.`);
  console.log("Above 1: Windtunnel does more in a second. Far ratios of turns: other work ran beside.\n");
}

/** Ratios compare rates of the same work and not features. */
function printCounterparts() {
  for (const bench of benches) {
    const { name, text } = COUNTERPARTS[bench];
    console.log(`${bench} beside ${name}:\n  ${text.join("\n  ")}`);
  }
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Three digits, thousands apart. */
function number(value) {
  return Number(value.toPrecision(3)).toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

function fail(message) {
  console.error(`compare-table.js: ${message}`);
  process.exit(1);
}
