// The way back: an owner's outputs packed for each source in the order in which their rows came, and the source's sum.

import { invariant, Payload } from "@windtunnel/base";
import {
  expertForward,
  type LayerContext,
  type MlpWeights,
  quantizeForWire,
  type WirePrecision,
  wireRowBytes,
  type WireRows,
} from "@windtunnel/model";
import type { DispatchLayout } from "@windtunnel/router";
import type { Tensor } from "@windtunnel/tensor";
import {
  type ArrivedRows,
  bytesOf,
  checkArrived,
  groupArrived,
  type GroupedRows,
  type PayloadSpace,
  takeBytes,
  unpackDispatch,
} from "./dispatch-rows.ts";

type ExpertContext = Pick<LayerContext, "config" | "kernels" | "arena"> & PayloadSpace;

/** Rows at once through the experts: bounds the scratch space, changes no bit. */
export const EXPERT_PIECE_ROWS = 2048;

/**
 * Runs a rank's experts over what arrived from every source (by the unit's ranks) and packs their outputs, one payload
 * for each source, rows in the order in which the source sent them.
 */
export function runExperts(
  context: ExpertContext,
  experts: readonly MlpWeights[],
  arrived: readonly ArrivedRows[],
  wire: WirePrecision,
): Payload[] {
  const size = context.config.hiddenSize;
  const rowBytes = wireRowBytes(wire.combine, size);
  checkArrived(arrived, size, wire.dispatch);
  const groups = groupArrived(arrived, experts.length);
  const payloads = allocateOutputs(context, arrived, rowBytes);
  const rows = groups.sourceOfRow.length;
  for (let first = 0; first < rows; first += EXPERT_PIECE_ROWS) {
    const end = Math.min(rows, first + EXPERT_PIECE_ROWS);
    context.arena.scope(() => {
      const x = unpackDispatch(context, size, arrived, groups, { first, end }, wire.dispatch);
      const offsets = context.arena.integers(groups.rowOffsets.length);
      for (const [index, offset] of groups.rowOffsets.entries()) {
        offsets[index] = Math.min(Math.max(offset, first), end) - first;
      }
      const codes = codesOf(
        quantizeForWire(context, wire.combine, expertForward(context, experts, offsets, x)),
      );
      for (let row = first; row < end;) {
        const count = runLength(groups, row, end);
        const { bytes } = payloads[groups.sourceOfRow[row]!]!;
        const from = (row - first) * rowBytes;
        bytes.set(codes.subarray(from, from + count * rowBytes), groups.placeOfRow[row]! * rowBytes);
        row += count;
      }
    });
  }
  return payloads;
}

/** Room for each source's outputs, side by side in one array of bytes. */
function allocateOutputs(space: PayloadSpace, arrived: readonly ArrivedRows[], rowBytes: number): Payload[] {
  const lengths = arrived.map(({ counts }) => rowBytes * counts.reduce((sum, count) => sum + count, 0));
  const bytes = takeBytes(
    space,
    lengths.reduce((sum, length) => sum + length, 0),
  );
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return new Payload(bytes.subarray(end - length, end));
  });
}

/** Rows from `row` on that lie behind each other in their source's payload too: its rows for one expert, or for several. */
function runLength({ sourceOfRow, placeOfRow }: GroupedRows, row: number, end: number): number {
  let count = 1;
  while (
    row + count < end &&
    sourceOfRow[row + count] === sourceOfRow[row] &&
    placeOfRow[row + count] === placeOfRow[row]! + count
  ) {
    count++;
  }
  return count;
}

/** Outputs go back as BF16 or F32: their codes as bytes. */
function codesOf(wire: WireRows): Uint8Array {
  invariant(wire.precision !== "fp8", "outputs go back as BF16 or F32");
  return bytesOf(wire.precision === "f32" ? wire.rows.data : wire.codes);
}

/**
 * Σ_j weights[token, j] · output of its j-th expert, in order of j, from zero: [tokens, hidden] into `out`.
 * `returned` holds what came back from each rank of the unit; their rows, rank by rank, are the rows of the layout.
 */
export function combine(
  context: ExpertContext,
  out: Tensor,
  weights: Float32Array,
  layout: DispatchLayout,
  returned: readonly Payload[],
  precision: WirePrecision["combine"],
): void {
  const size = context.config.hiddenSize;
  const rows = layout.slotOfRow.length;
  out.data.fill(0);
  context.arena.scope(() => {
    const received = context.arena.tensor([rows, size]);
    const codes = precision === "f32" ? undefined : context.arena.halves(rows * size);
    const bytes = bytesOf(codes ?? received.data);
    let at = 0;
    for (const payload of returned) {
      bytes.set(payload.bytes, at);
      at += payload.bytes.byteLength;
    }
    invariant(at === bytes.byteLength, `${at} bytes came back instead of ${bytes.byteLength}`);
    if (codes !== undefined) context.kernels.dequantizeBF16(received, codes);
    context.kernels.addGatheredRows(out, received, layout.rowOfSlot, weights);
  });
}
