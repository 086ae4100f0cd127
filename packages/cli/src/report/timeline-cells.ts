// Stretches of time as a row of characters. Each cell shows the mark that covers most of it; what covers no cell for the
// most part is named as unseen, so that nothing vanishes silently. It knows nothing of letters and colours.

export interface Stretch {
  /** Picoseconds. */
  readonly start: number;
  readonly end: number;
}

/** Something that a row shows. Marks of one key look alike, and where they touch they are one. */
export interface Mark extends Stretch {
  readonly key: string;
}

export interface CellGrid {
  readonly start: number;
  readonly end: number;
  readonly cells: number;
}

export interface FilledCell<Shown extends Mark> {
  readonly mark: Shown;
  /** The place in its run of equal cells, from 0, and the length of that run. */
  readonly index: number;
  readonly length: number;
}

export interface FilledRow<Shown extends Mark> {
  readonly cells: readonly (FilledCell<Shown> | undefined)[];
  /** Marks of which no cell shows anything. */
  readonly unseen: readonly Shown[];
}

/** Picoseconds of a cell. */
export function cellTime({ start, end, cells }: CellGrid): number {
  return (end - start) / cells;
}

/** Of marks that cover equal parts of a cell the first one shows. */
export function fillRow<Shown extends Mark>(marks: readonly Shown[], grid: CellGrid): FilledRow<Shown> {
  const covered = Array.from({ length: grid.cells }, () => new Map<string, { mark: Shown; time: number }>());
  for (const mark of marks) {
    for (const [cell, time] of coverage(mark, grid)) {
      const known = covered[cell]!.get(mark.key);
      if (known === undefined) covered[cell]!.set(mark.key, { mark, time });
      else known.time += time;
    }
  }
  const dominant = covered.map((ofCell) => {
    let most: { mark: Shown; time: number } | undefined;
    for (const each of ofCell.values()) if (each.time > (most?.time ?? 0)) most = each;
    return most?.mark;
  });
  const isSeen = (mark: Shown): boolean =>
    coverage(mark, grid).some(([cell]) => dominant[cell]?.key === mark.key);
  return { cells: runsOf(dominant), unseen: marks.filter((mark) => !isSeen(mark)) };
}

/** The part of each cell that stretches cover, from 0 to 1; they must not overlap each other. */
export function coveredParts(stretches: readonly Stretch[], grid: CellGrid): number[] {
  const parts = Array.from({ length: grid.cells }, () => 0);
  const time = cellTime(grid);
  for (const stretch of stretches) {
    for (const [cell, covered] of coverage(stretch, grid)) parts[cell]! += covered / time;
  }
  return parts;
}

/** The cells that a stretch touches, each with the picoseconds there. */
function coverage({ start, end }: Stretch, grid: CellGrid): (readonly [number, number])[] {
  const time = cellTime(grid);
  const [from, to] = [Math.max(start, grid.start), Math.min(end, grid.end)];
  if (to <= from) return [];
  const first = Math.floor((from - grid.start) / time);
  const last = Math.min(grid.cells - 1, Math.ceil((to - grid.start) / time) - 1);
  const touched: (readonly [number, number])[] = [];
  for (let cell = first; cell <= last; cell++) {
    const cellStart = grid.start + cell * time;
    const inCell = Math.min(to, cellStart + time) - Math.max(from, cellStart);
    if (inCell > 0) touched.push([cell, inCell]);
  }
  return touched;
}

function runsOf<Shown extends Mark>(
  dominant: readonly (Shown | undefined)[],
): (FilledCell<Shown> | undefined)[] {
  const cells: (FilledCell<Shown> | undefined)[] = [];
  for (let at = 0; at < dominant.length;) {
    const mark = dominant[at];
    let next = at + 1;
    while (next < dominant.length && dominant[next]?.key === mark?.key) next += 1;
    for (let index = 0; index < next - at; index++) {
      cells.push(mark === undefined ? undefined : { mark, index, length: next - at });
    }
    at = next;
  }
  return cells;
}
