import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import {
  createSimdKernels,
  decodeE4M3,
  elementCount,
  type Kernels,
  packedElementCount,
  type PackedMatrix,
  packMatrix,
  plainKernels,
  rowsOf,
  type StridedRows,
  type Tensor,
  TensorMemory,
} from "./index.ts";

// Both kernels compute every case from the same inputs; results are compared as bit patterns.
const FIXED_SEED = 20_241_226;
const FRESH_SEED = Number(process.env["WINDTUNNEL_TEST_SEED"] ?? Date.now() % 1_000_000_007);
const SEEDS = [FIXED_SEED, FRESH_SEED];

function repeatWith(seed: number): string {
  return `WINDTUNNEL_TEST_SEED=${seed} npx vitest run --project unit packages/tensor`;
}

const memory = TensorMemory.create(96 * 1024 ** 2);
const arena = memory.arena(80 * 1024 ** 2);
const simd = createSimdKernels(memory);
const both: readonly Kernels[] = [plainKernels, simd];

/** Seeded inputs: shapes that hit every remainder, values of many magnitudes, zeros of both signs. */
class Draw {
  readonly #stream: RandomStream;
  constructor(seed: number, name: string) {
    this.#stream = new RandomStream(seed, name);
  }

  size(largest: number): number {
    return 1 + this.#stream.below(largest);
  }

  count(largest: number): number {
    return this.#stream.below(largest + 1);
  }

  value(): number {
    const kind = this.#stream.below(16);
    if (kind === 0) return 0;
    if (kind === 1) return -0;
    const spread = kind === 2 ? 8 : kind === 3 ? 1e-3 : 1;
    return this.#stream.normal() * spread;
  }

  tensor(...shape: number[]): Tensor {
    const tensor = arena.tensor(shape);
    for (let i = 0; i < tensor.data.length; i++) tensor.data[i] = this.value();
    return tensor;
  }

  strided(rows: number, width: number): StridedRows {
    const stride = width + this.count(5);
    const { address, data } = this.tensor(rows, stride);
    return { rows, stride, address, data };
  }

  weights(outputSize: number, inputSize: number): { packed: PackedMatrix; rowMajor: Tensor } {
    const rowMajor = this.tensor(outputSize, inputSize);
    const into = arena.tensor([packedElementCount(outputSize, inputSize)]);
    return { packed: packMatrix(into, rowMajor.data, outputSize, inputSize), rowMajor };
  }

  positions(count: number, below: number): Int32Array {
    return Int32Array.from({ length: count }, () => this.#stream.below(below));
  }
}

function copyOf(tensor: Tensor): Tensor {
  const copy = arena.tensor(tensor.shape);
  copy.data.set(tensor.data);
  return copy;
}

function bitsOf(array: Float32Array): Int32Array {
  return new Int32Array(array.buffer, array.byteOffset, array.length);
}

/** Expects the same bits; says the first difference instead of printing two arrays. */
function expectSameBits(actual: Float32Array, expected: Float32Array, what: string): void {
  const [actualBits, expectedBits] = [bitsOf(actual), bitsOf(expected)];
  const at = actualBits.findIndex((pattern, i) => pattern !== expectedBits[i]);
  expect(at === -1 ? "same bits" : `${what}: element ${at} is ${actual[at]}, plain has ${expected[at]}`).toBe(
    "same bits",
  );
}

/** |actual − expected| at most `relative` of the sum's magnitude. */
function expectClose(actual: number, expected: number, magnitude: number, relative = 2e-6): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * magnitude + 1e-30);
}

/** Runs `body` `times` for both seeds; a failure names the seed and how to repeat it. */
function forSeeds(name: string, times: number, body: (draw: Draw) => void): void {
  for (const seed of SEEDS) {
    for (let round = 0; round < times; round++) {
      try {
        arena.scope(() => body(new Draw(seed, `${name} ${round}`)));
      } catch (error) {
        throw new Error(`seed ${seed}, round ${round}; repeat with: ${repeatWith(seed)}`, { cause: error });
      }
    }
  }
}

/** The results of both kernels for an out tensor filled with rubbish first. */
function results(shape: readonly number[], run: (kernels: Kernels, out: Tensor) => void): [Tensor, Tensor] {
  const [plain, fast] = both.map((kernels) => {
    const out = arena.tensor(shape);
    out.data.fill(Number.NaN);
    run(kernels, out);
    return out;
  });
  return [plain!, fast!];
}

function expectSameResults(shape: readonly number[], run: (kernels: Kernels, out: Tensor) => void): Tensor {
  const [plain, fast] = results(shape, run);
  expectSameBits(fast.data, plain.data, shape.join("×"));
  return plain;
}

describe("matmul", () => {
  test("simd equals plain on every remainder of rows and columns", () => {
    for (let rows = 0; rows <= 9; rows++) {
      for (let n = 1; n <= 41; n += rows > 4 ? 5 : 1) {
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
      const [rows, k, n] = [draw.size(7), draw.size(9), draw.size(20)];
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
      const rowOffsets = new Int32Array(experts + 1);
      for (let e = 0; e < experts; e++) rowOffsets[e + 1] = rowOffsets[e]! + Math.max(0, draw.count(9) - 3);
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

describe("rows", () => {
  test("rmsNorm: simd equals plain, in place too; plain agrees with double precision", () => {
    forSeeds("rmsNorm", 20, (draw) => {
      const [rows, size] = [draw.count(6), draw.size(300)];
      const x = draw.tensor(rows, size);
      const weight = Float32Array.from({ length: size }, () => draw.value());
      const out = expectSameResults([rows, size], (kernels, into) => kernels.rmsNorm(into, x, weight, 1e-6));
      const inPlace = copyOf(x);
      simd.rmsNorm(inPlace, inPlace, weight, 1e-6);
      expectSameBits(inPlace.data, out.data, "in place");
      for (let row = 0; row < rows; row++) {
        const values = rowsOf(x, row, row + 1).data;
        const mean = values.reduce((sum, value) => sum + value * value, 0) / size;
        for (let i = 0; i < size; i++) {
          const expected = (weight[i]! * values[i]!) / Math.sqrt(mean + 1e-6);
          expectClose(out.data[row * size + i]!, expected, Math.abs(expected), 1e-5);
        }
      }
    });
  });

  test("rope: simd equals plain; turning keeps the length of every pair", () => {
    forSeeds("rope", 20, (draw) => {
      const [count, width, known] = [draw.count(6), 2 * draw.size(35), draw.size(20)];
      const rows = draw.strided(count, width);
      const angles = Float32Array.from({ length: known * (width / 2) }, () => draw.value() * 6);
      const tables = { cosines: arena.tensor([known, width / 2]), sines: arena.tensor([known, width / 2]) };
      tables.cosines.data.set(angles.map(Math.cos));
      tables.sines.data.set(angles.map(Math.sin));
      const positions = draw.positions(count, known);
      const out = expectSameResults([count, rows.stride], (kernels, into) => {
        into.data.set(rows.data);
        kernels.rope({ ...rows, address: into.address, data: into.data }, width, positions, tables);
      });
      for (let i = 0; i < (count > 0 ? width : 0); i += 2) {
        const before = Math.hypot(rows.data[i]!, rows.data[i + 1]!);
        expectClose(Math.hypot(out.data[i]!, out.data[i + 1]!), before, before);
      }
    });
  });

  test("rope turns (1, 0) by a quarter into (0, 1)", () => {
    for (const kernels of both) {
      arena.scope(() => {
        const row = arena.zeros([1, 2]);
        row.data[0] = 1;
        const tables = { cosines: arena.zeros([1, 1]), sines: arena.tensor([1, 1]) };
        tables.sines.data[0] = 1;
        kernels.rope(
          { rows: 1, stride: 2, address: row.address, data: row.data },
          2,
          Int32Array.of(0),
          tables,
        );
        expect([...row.data]).toEqual([0, 1]);
      });
    }
  });

  test("rope refuses a position that the tables do not hold", () => {
    arena.scope(() => {
      const { address, data } = arena.zeros([1, 2]);
      const tables = { cosines: arena.zeros([3, 1]), sines: arena.zeros([3, 1]) };
      for (const kernels of both) {
        const turn = () => kernels.rope({ rows: 1, stride: 2, address, data }, 2, Int32Array.of(3), tables);
        expect(turn).toThrow("rope position 3");
      }
    });
  });

  test("softmax: simd equals plain over every length; rows sum to one; the rest is zero", () => {
    forSeeds("softmax", 30, (draw) => {
      const [rows, size] = [draw.count(6), draw.size(90)];
      const x = draw.tensor(rows, size);
      const lengths = draw.positions(rows, size + 1);
      const out = expectSameResults([rows, size], (kernels, into) => {
        into.data.set(x.data);
        kernels.softmax(into, lengths, 3.7);
      });
      for (let row = 0; row < rows; row++) {
        const length = lengths[row]!;
        const values = [...rowsOf(x, row, row + 1).data.subarray(0, length)].map((value) => value * 3.7);
        const largest = Math.max(...values);
        const total = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
        for (let i = 0; i < size; i++) {
          const expected = i < length ? Math.exp(values[i]! - largest) / total : 0;
          expectClose(out.data[row * size + i]!, expected, expected + 1e-30, 1e-5);
        }
      }
    });
  });
});

describe("elements", () => {
  test("swiglu, sigmoid, add and addScaledRows: simd equals plain", () => {
    forSeeds("elements", 30, (draw) => {
      const [rows, size] = [draw.count(5), draw.size(40)];
      const shape = [rows, size];
      const [x, y, gateUp] = [draw.tensor(...shape), draw.tensor(...shape), draw.tensor(rows, 2 * size)];
      const factors = Float32Array.from({ length: rows }, () => draw.value());
      const gated = expectSameResults(shape, (kernels, out) => kernels.swiglu(out, gateUp));
      expectSameResults(shape, (kernels, out) => kernels.sigmoid(out, x));
      expectSameResults(shape, (kernels, out) => {
        out.data.set(x.data);
        kernels.add(out, y);
      });
      expectSameResults(shape, (kernels, out) => {
        out.data.set(x.data);
        kernels.addScaledRows(out, y, factors);
      });
      for (let i = 0; i < rows * size; i++) {
        const start = Math.floor(i / size) * 2 * size + (i % size);
        const expected =
          (gateUp.data[start]! / (1 + Math.exp(-gateUp.data[start]!))) * gateUp.data[start + size]!;
        expectClose(gated.data[i]!, expected, Math.abs(expected));
      }
    });
  });

  test("sigmoid: simd equals plain over the whole range, near Math.exp's answer", () => {
    const values = Float32Array.from({ length: 40_001 }, (_, i) => (i - 20_000) / 200);
    arena.scope(() => {
      const x = arena.tensor([values.length]);
      x.data.set(values);
      const out = expectSameResults([values.length], (kernels, into) => kernels.sigmoid(into, x));
      // Below −88 the exponential stays at e^88, and so the sigmoid above 6e-39.
      const farFromExpected = values.filter((value, i) => {
        const expected = 1 / (1 + Math.exp(-Math.max(value, -88)));
        return Math.abs(out.data[i]! / expected - 1) > 4e-7;
      });
      expect([...farFromExpected]).toEqual([]);
    });
  });

  test("silu of huge values is the value itself or as good as 0", () => {
    for (const kernels of both) {
      arena.scope(() => {
        const gateUp = arena.tensor([1, 4]);
        gateUp.data.set([1e30, -1e5, 1, 1]);
        const out = arena.tensor([1, 2]);
        kernels.swiglu(out, gateUp);
        expect(out.data[0]).toBe(Math.fround(1e30));
        expect(Math.abs(out.data[1]!)).toBeLessThan(1e-32);
      });
    }
  });

  test("a NaN passes through softmax and sigmoid as a NaN in both", () => {
    for (const kernels of both) {
      for (const place of [1, 5]) {
        arena.scope(() => {
          const x = arena.zeros([1, 6]);
          x.data[place] = Number.NaN;
          kernels.softmax(x, Int32Array.of(6), 1);
          expect(x.data.every((value) => Number.isNaN(value))).toBe(true);
          kernels.sigmoid(x, x);
          expect(x.data.every((value) => Number.isNaN(value))).toBe(true);
        });
      }
    }
  });

  test("checkFinite names the tensor and the place of a NaN or an infinity, wherever it stands", () => {
    for (const kernels of both) {
      for (const bad of [Number.NaN, Infinity, -Infinity]) {
        for (let place = 0; place < 14; place++) {
          arena.scope(() => {
            const x = arena.zeros([2, 7]);
            kernels.checkFinite(x, "logits");
            x.data[place] = bad;
            const found = `logits holds ${bad} in row ${Math.floor(place / 7)}, column ${place % 7}`;
            expect(() => kernels.checkFinite(x, "logits")).toThrow(found);
          });
        }
      }
    }
  });
});

describe("topK", () => {
  test("finds what sorting finds, ties to the lowest index", () => {
    forSeeds("topK", 20, (draw) => {
      const [rows, size] = [draw.count(5), draw.size(60)];
      const x = draw.tensor(rows, size);
      // Coarse values make ties.
      x.data.set(x.data.map((value) => Math.round(value * 3)));
      const k = draw.count(size);
      for (const kernels of both) {
        const [indices, values] = [new Int32Array(rows * k), new Float32Array(rows * k)];
        kernels.topK(x, k, indices, values);
        for (let row = 0; row < rows; row++) {
          const line = rowsOf(x, row, row + 1).data;
          const order = [...line.keys()].sort((a, b) => line[b]! - line[a]! || a - b).slice(0, k);
          expect([...indices.subarray(row * k, (row + 1) * k)]).toEqual(order);
          expect([...values.subarray(row * k, (row + 1) * k)].every((v, i) => v === line[order[i]!])).toBe(
            true,
          );
        }
      }
    });
  });

  test("takes minus infinity as a score, refuses NaN and more than there is", () => {
    for (const kernels of both) {
      arena.scope(() => {
        const x = arena.tensor([1, 3]);
        const [indices, values] = [new Int32Array(3), new Float32Array(3)];
        x.data.set([-Infinity, 2, -Infinity]);
        kernels.topK(x, 3, indices, values);
        expect([...indices]).toEqual([1, 0, 2]);
        expect(() => kernels.topK(x, 4, indices, values)).toThrow("the 4 largest of 3");
        x.data[2] = Number.NaN;
        expect(() => kernels.topK(x, 3, indices, values)).toThrow("a NaN stands in row 0, column 2");
      });
    }
  });
});

describe("quantisation", () => {
  const CODES = { bytes: (n: number) => new Uint8Array(n), halves: (n: number) => new Uint16Array(n) };

  test("E4M3: simd equals plain both ways, outside and inside the shared memory", () => {
    forSeeds("E4M3", 20, (draw) => {
      const [rows, size] = [draw.count(5), draw.size(300)];
      const x = draw.tensor(rows, size);
      const tiles = rows * Math.ceil(size / 128);
      const [plainCodes, plainScales] = [CODES.bytes(rows * size), new Float32Array(tiles)];
      plainKernels.quantizeE4M3(plainCodes, plainScales, x);
      for (const [codes, scales] of [
        [CODES.bytes(rows * size), new Float32Array(tiles)],
        [arena.bytes(rows * size), arena.tensor([tiles]).data],
      ] as const) {
        simd.quantizeE4M3(codes, scales, x);
        expect([...codes]).toEqual([...plainCodes]);
        expectSameBits(scales, plainScales, "scales");
        expectSameResults([rows, size], (kernels, out) => kernels.dequantizeE4M3(out, codes, scales));
      }
    });
  });

  test("E4M3: simd rounds like plain on ties, subnormals and neighbours of every code", () => {
    // With 448 in every tile the scale is 1 and x / scale is x.
    const middles = Array.from({ length: 0x7e }, (_, code) => (decodeE4M3(code) + decodeE4M3(code + 1)) / 2);
    const around = middles.flatMap((v) => [v, -v, v * (1 + 2 ** -20), v * (1 - 2 ** -20)]);
    arena.scope(() => {
      const x = arena.tensor([around.length, 2]);
      x.data.set(around.flatMap((value) => [448, value]));
      const [plainCodes, codes] = [CODES.bytes(x.data.length), CODES.bytes(x.data.length)];
      const scales = new Float32Array(around.length);
      plainKernels.quantizeE4M3(plainCodes, scales, x);
      simd.quantizeE4M3(codes, scales, x);
      expect(scales.every((scale) => scale === 1)).toBe(true);
      expect([...codes]).toEqual([...plainCodes]);
    });
  });

  test("E4M3: all 256 codes decode alike; the two NaN codes to NaN", () => {
    arena.scope(() => {
      const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
      const [plain, fast] = results([2, 128], (kernels, out) => {
        kernels.dequantizeE4M3(out, codes, Float32Array.of(0.75, 3));
      });
      expect([...fast.data]).toEqual([...plain.data]);
      expect(plain.data[0x7f]).toBeNaN();
      expect(plain.data[0x7e]).toBe(448 * 0.75);
    });
  });

  test("BF16: simd equals plain both ways, NaN and infinities included", () => {
    forSeeds("BF16", 20, (draw) => {
      const x = draw.tensor(draw.size(5), draw.size(30));
      const special = [Number.NaN, Infinity, -Infinity, 3.4e38, 1 + 2 ** -8, 1 + 3 * 2 ** -8];
      x.data.set(special.slice(0, x.data.length));
      const count = elementCount(x.shape);
      const plainCodes = CODES.halves(count);
      plainKernels.quantizeBF16(plainCodes, x);
      for (const codes of [CODES.halves(count), arena.halves(count)]) {
        simd.quantizeBF16(codes, x);
        expect([...codes]).toEqual([...plainCodes]);
        expectSameResults(x.shape, (kernels, out) => kernels.dequantizeBF16(out, codes));
      }
    });
  });

  test("BF16: all 65,536 codes decode to the same bits", () => {
    arena.scope(() => {
      const codes = Uint16Array.from({ length: 65_536 }, (_, code) => code);
      expectSameResults([codes.length], (kernels, out) => kernels.dequantizeBF16(out, codes));
    });
  });
});
