// The way back: an owner's outputs packed for each source in the order in which their rows came, and the source's sum.

import { invariant, Payload } from "@windtunnel/base";
import {
  combineRows,
  dequantizeFromWire,
  expertForward,
  type LayerContext,
  type MlpWeights,
  quantizeForWire,
  type WirePrecision,
  wireRowBytes,
} from "@windtunnel/model";
import type { DispatchLayout } from "@windtunnel/router";
import { rowsOf, type Tensor } from "@windtunnel/tensor";
import {
  type ArrivedRows,
  bytesOf,
  forEachArrivedRow,
  groupArrived,
  unpackDispatch,
} from "./dispatch-rows.ts";

type ExpertContext = Pick<LayerContext, "config" | "kernels" | "arena">;

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
  const groups = groupArrived(arrived, experts.length);
  const rows = groups.rowOffsets.at(-1)!;
  return context.arena.scope(() => {
    const outputs = outputCodes(context, rows, size, wire.combine);
    context.arena.scope(() => {
      const input = unpackDispatch(context, arrived, groups, size, wire.dispatch);
      const x = context.arena.tensor([rows, size]);
      dequantizeFromWire(context, x, input);
      forEachPiece(groups.rowOffsets, (first, end, rowOffsets) => {
        context.arena.scope(() => {
          const offsets = context.arena.integers(rowOffsets.length);
          offsets.set(rowOffsets);
          const out = expertForward(context, experts, offsets, rowsOf(x, first, end));
          outputs.write(first, out);
        });
      });
    });
    const payloads = arrived.map(({ counts }) => {
      const count = counts.reduce((sum, rowsOfExpert) => sum + rowsOfExpert, 0);
      return new Payload(new Uint8Array(count * rowBytes));
    });
    forEachArrivedRow(arrived, groups, (source, at, row) => {
      payloads[source]!.bytes.set(
        outputs.bytes.subarray(row * rowBytes, (row + 1) * rowBytes),
        at * rowBytes,
      );
    });
    return payloads;
  });
}

/** Rows at once through the experts: bounds the scratch space, changes no bit. */
export const EXPERT_PIECE_ROWS = 2048;

/** Pieces of consecutive rows, each with offsets of every expert's rows inside it. */
function forEachPiece(
  rowOffsets: Int32Array,
  visit: (first: number, end: number, pieceOffsets: Int32Array) => void,
): void {
  const rows = rowOffsets.at(-1)!;
  for (let first = 0; first < rows; first += EXPERT_PIECE_ROWS) {
    const end = Math.min(rows, first + EXPERT_PIECE_ROWS);
    visit(
      first,
      end,
      rowOffsets.map((offset) => Math.min(Math.max(offset, first), end) - first),
    );
  }
}

interface OutputCodes {
  readonly bytes: Uint8Array;
  write(firstRow: number, rows: Tensor): void;
}

/** All outputs in the wire's form, filled piece by piece. */
function outputCodes(
  context: ExpertContext,
  rows: number,
  size: number,
  precision: WirePrecision["combine"],
): OutputCodes {
  if (precision === "f32") {
    const { data } = context.arena.tensor([rows, size]);
    return { bytes: bytesOf(data), write: (firstRow, piece) => data.set(piece.data, firstRow * size) };
  }
  const codes = context.arena.halves(rows * size);
  return {
    bytes: bytesOf(codes),
    write: (firstRow, piece) => {
      const wire = quantizeForWire(context, precision, piece);
      invariant(wire.precision === "bf16", "outputs go back as BF16 or F32");
      codes.set(wire.codes, firstRow * size);
    },
  };
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
    combineRows(context, out, weights, (slot, into) => {
      const start = layout.rowOfSlot[slot]! * size;
      into.set(received.data.subarray(start, start + size));
    });
  });
}
