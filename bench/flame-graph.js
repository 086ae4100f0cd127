#!/usr/bin/env node
// Draws V8's .cpuprofile as a flame graph: a frame for each function on the stack, as wide as the time spent in it and in
// what it calls. Prints the frames above a tenth of the time.
//
//   node bench/flame-graph.js PROFILE.cpuprofile > flame.svg

import { readFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";

const WIDTH = 1200;
const ROW = 17;
const LEAST_SHARE = 0.004;
const TOLD_SHARE = 0.1;
const COLOURS = {
  "network-plane": "#e4892f",
  "virtual-time": "#d8b83a",
  gpu: "#6fa84a",
  expert: "#4f9ec4",
  serving: "#7f86c9",
  router: "#b277b5",
  cluster: "#9a9a9a",
};

const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write("usage: node bench/flame-graph.js PROFILE.cpuprofile > flame.svg\n");
  process.exit(2);
}
const profile = JSON.parse(readFileSync(file, "utf8"));
const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
const own = new Map();
for (const [index, id] of profile.samples.entries()) {
  own.set(id, (own.get(id) ?? 0) + Math.max(0, profile.timeDeltas[index]));
}

/** Time in a node and below it; frames of one function and the same callers are one. */
function tree(ids) {
  const byName = new Map();
  for (const id of ids) {
    const node = nodes.get(id);
    const { functionName, url } = node.callFrame;
    const [, owner] = /packages\/([^/]+)\//.exec(url) ?? [];
    const place = url === "" ? "" : ` ${path.posix.basename(url)}`;
    const name = `${functionName || "(anonymous)"}${place}`;
    const frame = byName.get(name) ?? { name, owner, time: 0, callees: [] };
    frame.time += own.get(id) ?? 0;
    frame.callees.push(...(node.children ?? []));
    byName.set(name, frame);
  }
  return [...byName.values()].map(({ callees, ...frame }) => {
    const below = tree(callees);
    return { ...frame, time: below.reduce((sum, { time }) => sum + time, frame.time), below };
  });
}

const roots = tree([profile.nodes[0].id]);
const [root] = roots;
const total = root.time;
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const rects = [];
const told = [];
let deepest = 0;

function draw(frame, left, depth) {
  const share = frame.time / total;
  if (share < LEAST_SHARE) return;
  if (share >= TOLD_SHARE) told.push({ ...frame, depth, share });
  deepest = Math.max(deepest, depth);
  const width = share * WIDTH;
  const label = width < 40 ? "" : frame.name.slice(0, Math.floor(width / 6.2));
  rects.push(
    `<g><title>${escaped(frame.name)}: ${(100 * share).toFixed(1)} %</title>` +
      `<rect x="${left.toFixed(1)}" y="{y${depth}}" width="${Math.max(0.3, width - 0.5).toFixed(1)}" height="${ROW - 1}" ` +
      `fill="${COLOURS[frame.owner] ?? "#c8c8c8"}"/>` +
      `<text x="${(left + 3).toFixed(1)}" y="{t${depth}}">${escaped(label)}</text></g>`,
  );
  let at = left;
  for (const callee of frame.below.toSorted((a, b) => b.time - a.time)) {
    draw(callee, at, depth + 1);
    at += (callee.time / total) * WIDTH;
  }
}

draw(root, 0, 0);
const height = (deepest + 1) * ROW;
const placed = rects
  .join("\n")
  .replaceAll(/\{y(\d+)\}/g, (_, depth) => String(height - (Number(depth) + 1) * ROW))
  .replaceAll(/\{t(\d+)\}/g, (_, depth) => String(height - Number(depth) * ROW - 5));
process.stdout.write(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="10">\n` +
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>\n${placed}\n</svg>\n`,
);
for (const { name, share, depth } of told)
  process.stderr.write(`${(100 * share).toFixed(1).padStart(5)} %  ${" ".repeat(depth)}${name}\n`);
