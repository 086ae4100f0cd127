// A fabric as a drawing of boxes and lines in 80 columns: its spines, its leaves, and who hangs on them. Of a row that
// is too long, the first two and the last are drawn.

import {
  joinedLeaves,
  leavesOfPlane,
  type TopologyCounts,
  type TopologyDescription,
} from "@windtunnel/network-plane";

const BOX_WIDTH = 15;
const MOST_BOXES = 4;
const GAP = "· · ·".padStart(7).padEnd(9);
const NO_GAP = " ";

/** One box, by its lines of text; undefined where some are left out. */
type Drawn = readonly string[] | undefined;

/** Lines of at most 80 characters. */
export function drawTopology(description: TopologyDescription, counts: TopologyCounts): string[] {
  if (description.kind === "nvlink-domain") return drawDomain(description);
  const leaves = elided(joinedLeaves(description), (leaf) => leafLabel(description, leaf));
  const below = elided(joinedLeaves(description), (leaf) => endpointLabel(description, leaf));
  const hasSpines = counts.spines.count > 0;
  const spines = hasSpines ? elided(description.spinesPerPlane, (spine) => [`spine ${spine}`]) : [];
  return [
    ...(hasSpines ? [...drawRow(spines), ...drawMesh(spines, leaves)] : []),
    ...drawRow(leaves),
    textRow(leaves.map((leaf) => (leaf === undefined ? undefined : "│"))),
    ...linesOf(below).map((line) => textRow(line)),
  ].map((line) => line.trimEnd());
}

function drawDomain({ nodes, gpusPerNode }: TopologyDescription): string[] {
  const drawn = elided(nodes, (node) => [
    `node ${node}`,
    gpusPerNode === 1 ? "1 GPU" : `${gpusPerNode} GPUs`,
  ]);
  const row = textRow(drawn.map((one) => (one === undefined ? undefined : "│")));
  const inner = row.length - 2;
  return [
    `┌${"─".repeat(inner)}┐`,
    `│${centred("NVLink switch", inner)}│`,
    `└${"─".repeat(inner)}┘`,
    row,
    ...drawRow(drawn),
  ].map((line) => line.trimEnd());
}

function leafLabel(description: TopologyDescription, leaf: number): string[] {
  if (description.kind !== "multi-rail") return [`leaf ${leaf}`];
  const ofRail = leavesOfPlane(description);
  return [`rail ${Math.floor(leaf / ofRail)}`, `leaf ${leaf % ofRail}`];
}

function endpointLabel(description: TopologyDescription, leaf: number): string[] {
  const { kind, nodes, nodesPerLeaf, planes } = description;
  const index = leaf % leavesOfPlane(description);
  const first = index * nodesPerLeaf;
  const last = Math.min(nodes, first + nodesPerLeaf) - 1;
  const named = first === last ? `node ${first}` : `nodes ${first}-${last}`;
  return kind === "single-plane" ? [named, planes === 1 ? "1 NIC" : `${planes} NICs each`] : [named];
}

function elided(count: number, labelOf: (index: number) => readonly string[]): Drawn[] {
  if (count <= MOST_BOXES) return Array.from({ length: count }, (_, index) => labelOf(index));
  return [labelOf(0), labelOf(1), undefined, labelOf(count - 1)];
}

function drawRow(drawn: readonly Drawn[]): string[] {
  const width = BOX_WIDTH - 2;
  const border = (left: string, right: string): string =>
    textRow(drawn.map((one) => (one === undefined ? undefined : left + "─".repeat(width) + right)));
  const middle = linesOf(drawn).map((line, index) =>
    textRow(
      line.map((text) => (text === undefined ? undefined : `│${centred(text, width)}│`)),
      index === 0 ? GAP : undefined,
    ),
  );
  return [border("┌", "┐"), ...middle, border("└", "┘")];
}

/** Every leaf to every spine. */
function drawMesh(spines: readonly Drawn[], leaves: readonly Drawn[]): string[] {
  const ends = (drawn: readonly Drawn[]): number[] => {
    const row = textRow(drawn.map((one) => (one === undefined ? undefined : "│")));
    return row.split("").flatMap((character, column) => (character === "│" ? [column] : []));
  };
  const [above, below] = [ends(spines), ends(leaves)];
  const [left, right] = [Math.min(...above, ...below), Math.max(...above, ...below)];
  const bus = Array.from({ length: right + 1 }, (_, column) => {
    if (column < left) return " ";
    const [up, down] = [above.includes(column), below.includes(column)];
    if (left === right) return "│";
    if (column === left) return up && down ? "├" : up ? "└" : "┌";
    if (column === right) return up && down ? "┤" : up ? "┘" : "┐";
    if (up && down) return "┼";
    return up ? "┴" : down ? "┬" : "─";
  }).join("");
  return [`${bus}  each to each`];
}

/** Boxes' texts line by line; undefined where boxes are left out. */
function linesOf(drawn: readonly Drawn[]): (string | undefined)[][] {
  const height = Math.max(...drawn.map((one) => one?.length ?? 0));
  return Array.from({ length: height }, (_, line) => drawn.map((one) => one && (one[line] ?? "")));
}

function textRow(cells: readonly (string | undefined)[], gap: string = " ".repeat(GAP.length)): string {
  return cells.map((cell) => (cell === undefined ? gap : centred(cell, BOX_WIDTH))).join(NO_GAP);
}

function centred(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return text.padStart(text.length + Math.max(0, left)).padEnd(width);
}
