// The executed rows of a dispatch: packed by the source, one byte array for each rank of the unit, in the wire's own
// form; unpacked by the owner into rows grouped by expert.

import { invariant, Payload } from "@windtunnel/base";
import {
  type LayerContext,
  quantizeForWire,
  type WirePrecision,
  wireRowBytes,
  type WireRows,
} from "@windtunnel/model";
import type { DispatchLayout, ExpertPlacement } from "@windtunnel/router";
import { rowSize, type Tensor } from "@windtunnel/tensor";
import { ROW_HEADER_BYTES } from "./pattern.ts";

type RowContext = Pick<LayerContext, "kernels" | "arena">;

/** What arrives at an owner from one source. */
export interface ArrivedRows {
  /** Rows for each of the owner's experts. */
  readonly counts: Int32Array;
  readonly payload: Payload;
}

/** Rows x [tokens, hidden], quantised, for each rank of the unit. */
export function packDispatch(
  context: RowContext,
  x: Tensor,
  layout: DispatchLayout,
  placement: ExpertPlacement,
  precision: WirePrecision["dispatch"],
): Payload[] {
  const size = rowSize(x);
  const rowBytes = ROW_HEADER_BYTES + wireRowBytes(precision, size);
  return context.arena.scope(() => {
    const columns = columnsOf(quantizeForWire(context, precision, x), size);
    return Array.from({ length: placement.degree }, (_, rank) => {
      const first = layout.rowOffsets[rank * placement.expertsPerRank]!;
      const end = layout.rowOffsets[(rank + 1) * placement.expertsPerRank]!;
      const bytes = new Uint8Array((end - first) * rowBytes);
      const view = new DataView(bytes.buffer);
      let at = 0;
      for (let row = first; row < end; row++) {
        const token = Math.floor(layout.slotOfRow[row]! / layout.choicesPerToken);
        view.setInt32(at, token, true);
        let column = at + ROW_HEADER_BYTES;
        for (const { data, bytesPerRow } of columns) {
          bytes.set(data.subarray(token * bytesPerRow, (token + 1) * bytesPerRow), column);
          column += bytesPerRow;
        }
        at += rowBytes;
      }
      return new Payload(bytes);
    });
  });
}

/** The parts of a row as bytes, in the order in which they stand in a message. */
interface Column {
  readonly data: Uint8Array;
  readonly bytesPerRow: number;
}

function columnsOf(wire: WireRows, size: number): Column[] {
  switch (wire.precision) {
    case "f32":
      return [{ data: bytesOf(wire.rows.data), bytesPerRow: 4 * size }];
    case "bf16":
      return [{ data: bytesOf(wire.codes), bytesPerRow: 2 * size }];
    case "fp8":
      return [
        { data: wire.codes, bytesPerRow: size },
        { data: bytesOf(wire.scales), bytesPerRow: wireRowBytes("fp8", size) - size },
      ];
  }
}

/** Where one row of a source lies among the owner's rows grouped by expert. */
export interface RowGroups {
  /** [experts + 1] over all sources. */
  readonly rowOffsets: Int32Array;
  /** By source: the group row of its first row for each expert; rows of one expert and source lie side by side. */
  readonly firstRowBySource: readonly Int32Array[];
}

export function groupArrived(arrived: readonly ArrivedRows[], expertCount: number): RowGroups {
  const rowOffsets = new Int32Array(expertCount + 1);
  const firstRowBySource = arrived.map(() => new Int32Array(expertCount));
  let row = 0;
  for (let expert = 0; expert < expertCount; expert++) {
    for (const [source, { counts }] of arrived.entries()) {
      firstRowBySource[source]![expert] = row;
      row += counts[expert]!;
    }
    rowOffsets[expert + 1] = row;
  }
  return { rowOffsets, firstRowBySource };
}

/** Visits each source's rows in the order of its message: `at` counts them, `row` is the row in the groups. */
export function forEachArrivedRow(
  arrived: readonly ArrivedRows[],
  groups: RowGroups,
  visit: (source: number, at: number, row: number) => void,
): void {
  for (const [source, { counts }] of arrived.entries()) {
    let at = 0;
    for (const [expert, count] of counts.entries()) {
      const first = groups.firstRowBySource[source]![expert]!;
      for (let i = 0; i < count; i++) visit(source, at++, first + i);
    }
  }
}

/** Codes of rows from all sources, grouped by expert, in the arena. */
export function unpackDispatch(
  context: RowContext,
  arrived: readonly ArrivedRows[],
  groups: RowGroups,
  size: number,
  precision: WirePrecision["dispatch"],
): WireRows {
  const rows = groups.rowOffsets.at(-1)!;
  const rowBytes = ROW_HEADER_BYTES + wireRowBytes(precision, size);
  for (const { counts, payload } of arrived) {
    const expected = counts.reduce((sum, count) => sum + count, 0) * rowBytes;
    invariant(
      payload.bytes.byteLength === expected,
      `${payload.bytes.byteLength} bytes of rows instead of ${expected}`,
    );
  }
  const wire = emptyRows(context, rows, size, precision);
  const columns = columnsOf(wire, size);
  forEachArrivedRow(arrived, groups, (source, at, row) => {
    const { bytes } = arrived[source]!.payload;
    let column = at * rowBytes + ROW_HEADER_BYTES;
    for (const { data, bytesPerRow } of columns) {
      data.set(bytes.subarray(column, column + bytesPerRow), row * bytesPerRow);
      column += bytesPerRow;
    }
  });
  return wire;
}

function emptyRows(
  context: RowContext,
  rows: number,
  size: number,
  precision: WirePrecision["dispatch"],
): WireRows {
  const { arena } = context;
  switch (precision) {
    case "f32":
      return { precision, rows: arena.tensor([rows, size]) };
    case "bf16":
      return { precision, codes: arena.halves(rows * size) };
    case "fp8": {
      const scalesPerRow = (wireRowBytes("fp8", size) - size) / 4;
      return { precision, codes: arena.bytes(rows * size), scales: arena.tensor([rows, scalesPerRow]).data };
    }
  }
}

export function bytesOf(array: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
