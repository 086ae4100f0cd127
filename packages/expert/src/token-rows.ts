// The executed rows of token sets: packed by the source, run through experts at their owner, summed on the way back.
// The order of sums, which is the pattern's stated tree: on a rank, weight · output of its experts in ascending order,
// from zero; at a relay and at the source, rows in the order in which they are given, from zero. Every product and every
// sum is rounded to 32 bits; a row that is handed on is rounded as its wire rounds it.

import { invariant, Payload } from "@windtunnel/base";
import {
  expertForward,
  type LayerContext,
  type MlpWeights,
  quantizeForWire,
  type WirePrecision,
  wireRowBytes,
} from "@windtunnel/model";
import { decodeBF16, encodeBF16, rowCount, rowSize, type Tensor } from "@windtunnel/tensor";
import { EXPERT_PIECE_ROWS } from "./combine-rows.ts";
import { bytesOf, columnsOf, type GroupedRows, unpackDispatch } from "./dispatch-rows.ts";
import { ROW_HEADER_BYTES } from "./row-message.ts";
import { joinTokens, type TokenSet } from "./token-set.ts";

type TokenContext = Pick<LayerContext, "config" | "kernels" | "arena">;
type CombinePrecision = WirePrecision["combine"];

const { fround } = Math;

/** A row for each token of x [tokens, hidden], in the form of `dispatch-rows.ts`. */
export function packTokens(context: TokenContext, x: Tensor, precision: WirePrecision["dispatch"]): Payload {
  const size = rowSize(x);
  const tokens = rowCount(x);
  const rowBytes = ROW_HEADER_BYTES + wireRowBytes(precision, size);
  const bytes = new Uint8Array(tokens * rowBytes);
  context.arena.scope(() => {
    let column = ROW_HEADER_BYTES;
    for (const { data, bytesPerRow } of columnsOf(quantizeForWire(context, precision, x), size)) {
      for (let token = 0; token < tokens; token++) {
        bytes.set(data.subarray(token * bytesPerRow, (token + 1) * bytesPerRow), token * rowBytes + column);
      }
      column += bytesPerRow;
    }
  });
  const view = new DataView(bytes.buffer);
  for (let token = 0; token < tokens; token++) view.setInt32(token * rowBytes, token, true);
  return new Payload(bytes);
}

/**
 * Runs a rank's experts over sets whose choices are all of this rank: for each set one with the same tokens, whose rows
 * are the weighted sums of its experts' outputs. `experts` are the rank's, the first of them physical expert `first`.
 */
export function runExpertsOnTokens(
  context: TokenContext,
  experts: readonly MlpWeights[],
  first: number,
  sets: readonly TokenSet[],
  wire: WirePrecision,
): TokenSet[] {
  const size = context.config.hiddenSize;
  const sums = sets.map(({ tokens }) => new Float32Array(tokens.length * size));
  const { groups, weights } = groupChoices(sets, first, experts.length);
  const arrived = sets.map(({ rows }) => ({ counts: new Int32Array(0), payload: present(rows) }));
  const rows = groups.sourceOfRow.length;
  for (let begin = 0; begin < rows; begin += EXPERT_PIECE_ROWS) {
    const end = Math.min(rows, begin + EXPERT_PIECE_ROWS);
    context.arena.scope(() => {
      const x = unpackDispatch(context, size, arrived, groups, { first: begin, end }, wire.dispatch);
      const offsets = context.arena.integers(groups.rowOffsets.length);
      for (const [index, offset] of groups.rowOffsets.entries()) {
        offsets[index] = Math.min(Math.max(offset, begin), end) - begin;
      }
      const { data } = expertForward(context, experts, offsets, x);
      for (let row = begin; row < end; row++) {
        const sum = sums[groups.sourceOfRow[row]!]!;
        const at = groups.placeOfRow[row]! * size;
        const from = (row - begin) * size;
        const weight = weights[row]!;
        for (let i = 0; i < size; i++) sum[at + i] = sum[at + i]! + fround(weight * data[from + i]!);
      }
    });
  }
  return sets.map((set, index) => ({ ...set, rows: encodeRows(sums[index]!, wire.combine) }));
}

/** Choices by expert, in an expert by set, in a set by entry. */
function groupChoices(
  sets: readonly TokenSet[],
  first: number,
  expertCount: number,
): { groups: GroupedRows; weights: Float32Array } {
  const rowOffsets = new Int32Array(expertCount + 1);
  for (const { experts } of sets) for (const expert of experts) rowOffsets[expert - first + 1]!++;
  for (let expert = 0; expert < expertCount; expert++) rowOffsets[expert + 1]! += rowOffsets[expert]!;
  const rows = rowOffsets[expertCount]!;
  const groups = { rowOffsets, sourceOfRow: new Int32Array(rows), placeOfRow: new Int32Array(rows) };
  const weights = new Float32Array(rows);
  const next = rowOffsets.slice();
  for (const [index, set] of sets.entries()) {
    for (let entry = 0; entry < set.tokens.length; entry++) {
      for (let choice = set.offsets[entry]!; choice < set.offsets[entry + 1]!; choice++) {
        const row = next[set.experts[choice]! - first]!++;
        groups.sourceOfRow[row] = index;
        groups.placeOfRow[row] = entry;
        weights[row] = set.weights![choice]!;
      }
    }
  }
  return { groups, weights };
}

/** The sum of rows for the tokens that stand in any of the sets, all of one source. */
export function sumTokens(sets: readonly TokenSet[], precision: CombinePrecision, size: number): TokenSet {
  const joined = joinTokens(sets);
  if (sets.every(({ rows }) => rows === undefined)) return joined;
  const sums = new Float32Array(joined.tokens.length * size);
  for (const set of sets) addRows(sums, joined.tokens, set, precision, size);
  return { ...joined, rows: encodeRows(sums, precision) };
}

/** Writes to out [tokens, hidden] the sum of what came back, set by set. */
export function combineTokens(out: Tensor, sets: readonly TokenSet[], precision: CombinePrecision): void {
  const size = rowSize(out);
  out.data.fill(0);
  const all = Int32Array.from({ length: rowCount(out) }, (_, token) => token);
  for (const set of sets) addRows(out.data, all, set, precision, size);
}

/** Adds a set's rows to the rows of the same tokens; both lists ascend. */
function addRows(
  sums: Float32Array,
  tokens: Int32Array,
  set: TokenSet,
  precision: CombinePrecision,
  size: number,
): void {
  const values = decodeRows(present(set.rows), precision);
  let place = 0;
  for (const [entry, token] of set.tokens.entries()) {
    while (tokens[place] !== token) {
      place++;
      invariant(place < tokens.length, `token ${token} has no row to be added to`);
    }
    for (let i = 0; i < size; i++)
      sums[place * size + i] = sums[place * size + i]! + values[entry * size + i]!;
  }
}

function encodeRows(values: Float32Array, precision: CombinePrecision): Payload {
  if (precision === "f32") return new Payload(bytesOf(values));
  return new Payload(bytesOf(Uint16Array.from(values, encodeBF16)));
}

function decodeRows({ bytes }: Payload, precision: CombinePrecision): Float32Array {
  // A payload may begin anywhere in a frame.
  const { buffer } = bytes.slice();
  if (precision === "f32") return new Float32Array(buffer);
  return Float32Array.from(new Uint16Array(buffer), decodeBF16);
}

function present(rows: Payload | undefined): Payload {
  invariant(rows !== undefined, "executed tokens carry rows");
  return rows;
}
