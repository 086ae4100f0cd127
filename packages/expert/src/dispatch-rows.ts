// The executed rows of a dispatch: packed by the source, one byte array for each rank of the unit, in the wire's own
// form; unpacked by the owner into rows grouped by expert.

import { invariant, Payload } from "@windtunnel/base";
import {
  dequantizeFromWire,
  type LayerContext,
  quantizeForWire,
  type WirePrecision,
  wireRowBytes,
  type WireRows,
} from "@windtunnel/model";
import type { DispatchLayout, ExpertPlacement } from "@windtunnel/router";
import { type E4M3Rows, rowSize, type Tensor } from "@windtunnel/tensor";
import { ROW_HEADER_BYTES } from "./row-message.ts";

/** Where payloads get their bytes, whatever those held before. Absent: each gets fresh ones. */
export interface PayloadSpace {
  readonly takeBytes?: (byteLength: number) => Uint8Array;
}

type RowContext = Pick<LayerContext, "config" | "kernels" | "arena"> & PayloadSpace;

/** What arrives at an owner from one source. */
export interface ArrivedRows {
  /** Rows for each of the owner's experts. */
  readonly counts: Int32Array;
  readonly payload: Payload;
}

/**
 * Rows x [tokens, hidden], quantised, for each rank of the unit. All payloads lie in one array of bytes, row by row of
 * the layout: a rank's rows are neighbours there.
 */
export function packDispatch(
  context: RowContext,
  x: Tensor,
  layout: DispatchLayout,
  placement: ExpertPlacement,
  precision: WirePrecision["dispatch"],
): Payload[] {
  const size = rowSize(x);
  const rowBytes = ROW_HEADER_BYTES + wireRowBytes(precision, size);
  const bytes = takeBytes(context, layout.slotOfRow.length * rowBytes);
  writeHeaders(bytes, layout, rowBytes);
  context.arena.scope(() => {
    let column = ROW_HEADER_BYTES;
    for (const { data, bytesPerRow } of columnsOf(quantizeForWire(context, precision, x), size)) {
      // Token by token, so that its row is made and read once for all its choices.
      for (let token = 0; token < layout.tokenCount; token++) {
        const row = data.subarray(token * bytesPerRow, (token + 1) * bytesPerRow);
        const firstSlot = token * layout.choicesPerToken;
        for (let slot = firstSlot; slot < firstSlot + layout.choicesPerToken; slot++) {
          bytes.set(row, layout.rowOfSlot[slot]! * rowBytes + column);
        }
      }
      column += bytesPerRow;
    }
  });
  return Array.from({ length: placement.degree }, (_, rank) => {
    const first = layout.rowOffsets[rank * placement.expertsPerRank]!;
    const end = layout.rowOffsets[(rank + 1) * placement.expertsPerRank]!;
    return new Payload(bytes.subarray(first * rowBytes, end * rowBytes));
  });
}

export function takeBytes(space: PayloadSpace, byteLength: number): Uint8Array {
  return space.takeBytes === undefined ? new Uint8Array(byteLength) : space.takeBytes(byteLength);
}

function writeHeaders(bytes: Uint8Array, layout: DispatchLayout, rowBytes: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let row = 0; row < layout.slotOfRow.length; row++) {
    const at = row * rowBytes;
    view.setInt32(at, Math.floor(layout.slotOfRow[row]! / layout.choicesPerToken), true);
    for (let padding = 4; padding < ROW_HEADER_BYTES; padding += 4) view.setInt32(at + padding, 0, true);
  }
}

/** The parts of a row as bytes, in the order in which they stand in a message. */
interface Column {
  readonly data: Uint8Array;
  readonly bytesPerRow: number;
}

export function columnsOf(wire: WireRows, size: number): Column[] {
  if (wire.precision === "f32") return [{ data: bytesOf(wire.rows.data), bytesPerRow: 4 * size }];
  if (wire.precision === "bf16") return [{ data: bytesOf(wire.codes), bytesPerRow: 2 * size }];
  return [
    { data: wire.codes, bytesPerRow: size },
    { data: bytesOf(wire.scales), bytesPerRow: wireRowBytes("fp8", size) - size },
  ];
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

/**
 * Rows [first, end) of the groups, [end - first, hidden] in the arena, as experts take them: codes in E4M3 stay codes,
 * since the experts' first product decodes them; everything else becomes its sender's values.
 */
export function unpackDispatch(
  context: RowContext,
  size: number,
  arrived: readonly ArrivedRows[],
  groups: GroupedRows,
  piece: { readonly first: number; readonly end: number },
  precision: WirePrecision["dispatch"],
): Tensor | E4M3Rows {
  const { arena } = context;
  const rows = piece.end - piece.first;
  if (precision === "fp8") {
    const codes = arena.bytes(rows * size);
    const scales = arena.tensor([rows, (wireRowBytes(precision, size) - size) / 4]).data;
    copyRows({ precision, codes, scales }, size, arrived, groups, piece);
    return { rows, size, codes, scales };
  }
  const x = arena.tensor([rows, size]);
  if (precision === "f32") {
    copyRows({ precision, rows: x }, size, arrived, groups, piece);
    return x;
  }
  arena.scope(() => {
    const wire = { precision, codes: arena.halves(rows * size) };
    copyRows(wire, size, arrived, groups, piece);
    dequantizeFromWire(context, x, wire);
  });
  return x;
}

function copyRows(
  wire: WireRows,
  size: number,
  arrived: readonly ArrivedRows[],
  groups: GroupedRows,
  { first, end }: { readonly first: number; readonly end: number },
): void {
  const rowBytes = ROW_HEADER_BYTES + wireRowBytes(wire.precision, size);
  const columns = columnsOf(wire, size);
  for (let row = first; row < end; row++) {
    const { bytes } = arrived[groups.sourceOfRow[row]!]!.payload;
    let column = groups.placeOfRow[row]! * rowBytes + ROW_HEADER_BYTES;
    for (const { data, bytesPerRow } of columns) {
      data.set(bytes.subarray(column, column + bytesPerRow), (row - first) * bytesPerRow);
      column += bytesPerRow;
    }
  }
}

export function bytesOf(array: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
