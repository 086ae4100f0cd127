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

/** Rows from all sources, grouped by expert and inside an expert by source. */
export interface GroupedRows {
  /** [experts + 1] */
  readonly rowOffsets: Int32Array;
  /** By row: which source it came from, and how many rows of that source's message stand before it. */
  readonly sourceOfRow: Int32Array;
  readonly placeOfRow: Int32Array;
}

export function groupArrived(arrived: readonly ArrivedRows[], expertCount: number): GroupedRows {
  const rowOffsets = new Int32Array(expertCount + 1);
  for (let expert = 0; expert < expertCount; expert++) {
    rowOffsets[expert + 1] = arrived.reduce((sum, { counts }) => sum + counts[expert]!, rowOffsets[expert]!);
  }
  const rows = rowOffsets[expertCount]!;
  const sourceOfRow = new Int32Array(rows);
  const placeOfRow = new Int32Array(rows);
  const next = rowOffsets.slice();
  for (const [source, { counts }] of arrived.entries()) {
    let place = 0;
    for (let expert = 0; expert < expertCount; expert++) {
      for (let i = 0; i < counts[expert]!; i++) {
        const row = next[expert]!++;
        sourceOfRow[row] = source;
        placeOfRow[row] = place++;
      }
    }
  }
  return { rowOffsets, sourceOfRow, placeOfRow };
}

/** Refuses payloads that do not hold what their counts say. */
export function checkArrived(
  arrived: readonly ArrivedRows[],
  size: number,
  precision: WirePrecision["dispatch"],
): void {
  const rowBytes = ROW_HEADER_BYTES + wireRowBytes(precision, size);
  for (const { counts, payload } of arrived) {
    const expected = counts.reduce((sum, count) => sum + count, 0) * rowBytes;
    invariant(
      payload.bytes.byteLength === expected,
      `${payload.bytes.byteLength} bytes of rows instead of ${expected}`,
    );
  }
}

/** The codes of rows [first, end) of the groups, in the arena. */
export function unpackDispatch(
  context: RowContext,
  arrived: readonly ArrivedRows[],
  groups: GroupedRows,
  piece: { readonly first: number; readonly end: number },
  size: number,
  precision: WirePrecision["dispatch"],
): WireRows {
  const rowBytes = ROW_HEADER_BYTES + wireRowBytes(precision, size);
  const wire = emptyRows(context, piece.end - piece.first, size, precision);
  const columns = columnsOf(wire, size);
  for (let row = piece.first; row < piece.end; row++) {
    const { bytes } = arrived[groups.sourceOfRow[row]!]!.payload;
    let column = groups.placeOfRow[row]! * rowBytes + ROW_HEADER_BYTES;
    for (const { data, bytesPerRow } of columns) {
      data.set(bytes.subarray(column, column + bytesPerRow), (row - piece.first) * bytesPerRow);
      column += bytesPerRow;
    }
  }
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
