import { describe, expect, test } from "vitest";
import {
  createSimdKernels,
  type GatedPair,
  packedElementCount,
  packMatrix,
  plainKernels,
  rowsOf,
  type Tensor,
  TensorMemory,
} from "./index.ts";
import { siluOf } from "./plain/exponential.ts";
import {
  arena,
  simd,
  both,
  Draw,
  expectSameBits,
  expectClose,
  forSeeds,
  expectSameResults,
  FIXED_SEED,
} from "./test-support/kernel-comparison.ts";

describe("matmul", () => {
  test("simd equals plain on every remainder of rows and columns", () => {
    for (let rows = 0; rows <= 9; rows++) {
      for (let n = 1; n <= 61; n += rows > 4 ? 5 : 1) {
        arena.scope(() => {
          const draw = new Draw(FIXED_SEED, `matmul ${rows} ${n}`);
          const k = draw.size(23);
          const x = draw.tensor(rows, k);
          const { packed } = draw.weights(n, k);
          expectSameResults([rows, n], (kernels, out) => kernels.matmul(out, x, packed));
        });
      }
    }
  });

  test("simd equals plain, and plain equals double precision to a few roundings", () => {
    forSeeds("matmul", 12, (draw) => {
      const [rows, k, n] = [draw.count(20), draw.size(300), draw.size(140)];
      const x = draw.tensor(rows, k);
      const { packed, rowMajor } = draw.weights(n, k);
      const out = expectSameResults([rows, n], (kernels, into) => kernels.matmul(into, x, packed));
      for (let i = 0; i < rows * n; i++) {
        let [sum, magnitude] = [0, 0];
        for (let j = 0; j < k; j++) {
          const product = x.data[Math.floor(i / n) * k + j]! * rowMajor.data[(i % n) * k + j]!;
          sum += product;
          magnitude += Math.abs(product);
        }
        // k additions, each with a relative error of at most 2^-24 of the running magnitude.
        expect(Math.abs(out.data[i]! - sum)).toBeLessThanOrEqual((k + 2) * 2 ** -24 * magnitude + 1e-30);
      }
    });
  });

  test("a short last panel writes nothing beside the result", () => {
    forSeeds("matmul edges", 4, (draw) => {
      const [rows, k, n] = [draw.size(7), draw.size(9), draw.size(50)];
      const x = draw.tensor(rows, k);
      const { packed } = draw.weights(n, k);
      const guarded = arena.tensor([rows + 2, n]);
      guarded.data.fill(7);
      simd.matmul(rowsOf(guarded, 1, rows + 1), x, packed);
      expect(
        [...rowsOf(guarded, 0, 1).data, ...rowsOf(guarded, rows + 1, rows + 2).data].every((v) => v === 7),
      ).toBe(true);
    });
  });

  test("a row's result does not depend on the rows beside it", () => {
    forSeeds("row independence", 4, (draw) => {
      const [rows, k, n] = [draw.size(12), draw.size(64), draw.size(40)];
      const x = draw.tensor(rows, k);
      const { packed } = draw.weights(n, k);
      const together = arena.tensor([rows, n]);
      simd.matmul(together, x, packed);
      for (let row = 0; row < rows; row++) {
        const alone = arena.tensor([1, n]);
        simd.matmul(alone, rowsOf(x, row, row + 1), packed);
        expectSameBits(alone.data, rowsOf(together, row, row + 1).data, `row ${row}`);
      }
    });
  });

  test("grouped: every expert's rows go through its own weights, empty experts cost nothing", () => {
    forSeeds("grouped", 8, (draw) => {
      const [k, n, experts] = [draw.size(70), draw.size(50), draw.size(9)];
      const weights = Array.from({ length: experts }, () => draw.weights(n, k).packed);
      const rowOffsets = drawOffsets(draw, experts);
      const rows = rowOffsets[experts]!;
      const x = draw.tensor(rows, k);
      const out = expectSameResults([rows, n], (kernels, into) =>
        kernels.groupedMatmul(into, x, rowOffsets, weights),
      );
      for (let e = 0; e < experts; e++) {
        const [start, end] = [rowOffsets[e]!, rowOffsets[e + 1]!];
        const alone = arena.tensor([end - start, n]);
        plainKernels.matmul(alone, rowsOf(x, start, end), weights[e]!);
        expectSameBits(alone.data, rowsOf(out, start, end).data, `expert ${e}`);
      }
    });
  });

  test("weights may end where the memory ends", () => {
    const [rows, k, n] = [64, 100, 20];
    const memory = TensorMemory.create(1);
    const [x, out] = [memory.tensor([rows, k]), memory.tensor([rows, n])];
    for (let i = 0; i < x.data.length; i++) x.data[i] = i % 7;
    const packedBytes = 4 * packedElementCount(n, k);
    const end = memory.memory.buffer.byteLength;
    memory.allocate(end - packedBytes - memory.allocate(0));
    const weights = packMatrix(memory.tensor([packedBytes / 4]), new Float32Array(n * k).fill(1), n, k);
    expect(weights.address + packedBytes).toBe(end);
    createSimdKernels(memory).matmul(out, x, weights);
    const expected = new Float32Array(rows * n);
    plainKernels.matmul({ ...out, data: expected }, x, weights);
    expectSameBits(out.data, expected, "at the end");
  });

  test("wrong shapes are refused by both", () => {
    arena.scope(() => {
      const draw = new Draw(FIXED_SEED, "wrong shapes");
      const { packed } = draw.weights(8, 4);
      for (const kernels of both) {
        expect(() => kernels.matmul(arena.tensor([2, 8]), arena.tensor([2, 5]), packed)).toThrow(
          "input size",
        );
        expect(() => kernels.matmul(arena.tensor([2, 9]), arena.tensor([2, 4]), packed)).toThrow(
          "output size",
        );
        expect(() => kernels.matmul(arena.tensor([3, 8]), arena.tensor([2, 4]), packed)).toThrow(
          "output rows",
        );
      }
    });
  });

  test("a tensor outside the shared memory is refused", () => {
    const outside: Tensor = { shape: [1, 4], address: 0, data: new Float32Array(4) };
    expect(() => simd.add(outside, outside)).toThrow("elsewhere");
  });
});

/** Experts whose rows are few, often none: 0 three times out of nine. */
function drawOffsets(draw: Draw, experts: number): Int32Array {
  const rowOffsets = new Int32Array(experts + 1);
  for (let e = 0; e < experts; e++) rowOffsets[e + 1] = rowOffsets[e]! + Math.max(0, draw.count(9) - 3);
  return rowOffsets;
}

function drawPairs(draw: Draw, count: number, n: number, k: number): GatedPair[] {
  return Array.from({ length: count }, () => ({
    gate: draw.weights(n, k).packed,
    up: draw.weights(n, k).packed,
  }));
}

describe("groupedSwiglu", () => {
  test("simd equals plain on every remainder of columns, and both equal products, sigmoid and gating apart", () => {
    for (let n = 1; n <= 61; n++) {
      arena.scope(() => {
        const draw = new Draw(FIXED_SEED, `swiglu ${n}`);
        const [k, experts] = [draw.size(40), draw.size(5)];
        const rowOffsets = drawOffsets(draw, experts);
        const rows = rowOffsets[experts]!;
        const weights = drawPairs(draw, experts, n, k);
        const x = draw.tensor(rows, k);
        const out = expectSameResults([rows, n], (kernels, into) =>
          kernels.groupedSwiglu(into, x, rowOffsets, weights),
        );
        const [gates, ups] = (["gate", "up"] as const).map((part) => {
          const result = arena.tensor([rows, n]);
          const matrices = weights.map((pair) => pair[part]);
          plainKernels.groupedMatmul(result, x, rowOffsets, matrices);
          return result.data;
        });
        const expected = gates!.map((gate, i) => Math.fround(siluOf(gate) * ups![i]!));
        expectSameBits(out.data, expected, `${n} columns`);
        for (const [i, gate] of gates!.entries()) {
          const exact = (gate / (1 + Math.exp(-gate))) * ups![i]!;
          expectClose(out.data[i]!, exact, Math.abs(exact));
        }
      });
    }
  });

  test("rows in E4M3 give what their decoded values give, in every block of every expert", () => {
    forSeeds("swiglu of E4M3", 6, (draw) => {
      // 32 KiB hold 12 rows of 640 values: one expert has more, so that its rows take several blocks.
      const [k, n, experts] = [draw.count(1) === 0 ? 640 : draw.size(300), draw.size(45), draw.size(4)];
      const rowOffsets = drawOffsets(draw, experts);
      for (let e = 1; e <= experts; e++) rowOffsets[e]! += 29;
      const rows = rowOffsets[experts]!;
      const weights = drawPairs(draw, experts, n, k);
      const codes = new Uint8Array(rows * k);
      const scales = new Float32Array(rows * Math.ceil(k / 128));
      plainKernels.quantizeE4M3(codes, scales, draw.tensor(rows, k));
      const coded = { rows, size: k, codes, scales };
      const out = expectSameResults([rows, n], (kernels, into) =>
        kernels.groupedSwiglu(into, coded, rowOffsets, weights),
      );
      const [decoded, expected] = [arena.tensor([rows, k]), arena.tensor([rows, n])];
      plainKernels.dequantizeE4M3(decoded, codes, scales);
      plainKernels.groupedSwiglu(expected, decoded, rowOffsets, weights);
      expectSameBits(out.data, expected.data, "decoded first");
    });
  });

  test("a gate of a huge value passes the up, one far below zero shuts it off", () => {
    for (const kernels of both) {
      arena.scope(() => {
        const x = arena.tensor([1, 1]);
        x.data.set([1]);
        const [gate, up] = [
          [1e30, -1e5],
          [1, 1],
        ].map((column) =>
          packMatrix(arena.tensor([packedElementCount(2, 1)]), Float32Array.from(column), 2, 1),
        );
        const out = arena.tensor([1, 2]);
        kernels.groupedSwiglu(out, x, Int32Array.of(0, 1), [{ gate: gate!, up: up! }]);
        expect(out.data[0]).toBe(Math.fround(1e30));
        expect(Math.abs(out.data[1]!)).toBeLessThan(1e-32);
      });
    }
  });

  test("wrong shapes are refused by both", () => {
    arena.scope(() => {
      const draw = new Draw(FIXED_SEED, "wrong pairs");
      const weights = drawPairs(draw, 1, 8, 4);
      const [out, x, all] = [arena.tensor([2, 8]), arena.tensor([2, 4]), Int32Array.of(0, 2)];
      const coded = { rows: 2, size: 4, codes: new Uint8Array(7), scales: new Float32Array(2) };
      for (const kernels of both) {
        expect(() => kernels.groupedSwiglu(arena.tensor([2, 9]), x, all, weights)).toThrow("output size");
        expect(() => kernels.groupedSwiglu(out, arena.tensor([2, 5]), all, weights)).toThrow("input size");
        expect(() => kernels.groupedSwiglu(out, x, Int32Array.of(0, 1), weights)).toThrow("last row offset");
        expect(() => kernels.groupedSwiglu(out, x, Int32Array.of(0, 3, 2), [...weights, ...weights])).toThrow(
          "fall at expert 1",
        );
        expect(() => kernels.groupedSwiglu(out, coded, all, weights)).toThrow("E4M3 codes");
      }
    });
  });
});

describe("attention's products", () => {
  test("dotRows: simd equals plain, plain agrees with double precision", () => {
    forSeeds("dotRows", 30, (draw) => {
      const [aRows, bRows, depth] = [draw.count(7), draw.count(11), draw.size(70)];
      const [a, b] = [draw.strided(aRows, depth), draw.strided(bRows, depth)];
      const out = expectSameResults([aRows, bRows], (kernels, into) => kernels.dotRows(into, a, b, depth));
      for (let i = 0; i < aRows * bRows; i++) {
        let [sum, magnitude] = [0, 0];
        for (let c = 0; c < depth; c++) {
          const product = a.data[Math.floor(i / bRows) * a.stride + c]! * b.data[(i % bRows) * b.stride + c]!;
          sum += product;
          magnitude += Math.abs(product);
        }
        expectClose(out.data[i]!, sum, magnitude);
      }
    });
  });

  test("weightedRows: simd equals plain, gaps between rows stay untouched", () => {
    forSeeds("weightedRows", 30, (draw) => {
      const [rows, count, width] = [draw.count(10), draw.count(30), draw.size(45)];
      const a = draw.tensor(rows, count);
      const b = draw.strided(count, width);
      const stride = width + draw.count(4);
      const out = expectSameResults([rows, stride], (kernels, into) => {
        into.data.fill(5);
        kernels.weightedRows({ rows, stride, address: into.address, data: into.data }, a, b, width);
      });
      for (let i = 0; i < out.data.length; i++) {
        const [row, c] = [Math.floor(i / stride), i % stride];
        let [sum, magnitude] = [0, 0];
        for (let t = 0; t < (c < width ? count : 0); t++) {
          const product = a.data[row * count + t]! * b.data[t * b.stride + c]!;
          sum += product;
          magnitude += Math.abs(product);
        }
        if (c < width) expectClose(out.data[i]!, sum, magnitude, 32 * 2 ** -24);
        else expect(out.data[i]).toBe(5);
      }
    });
  });
});
