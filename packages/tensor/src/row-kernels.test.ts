import { describe, expect, test } from "vitest";
import { decodeE4M3, elementCount, plainKernels, rowsOf } from "./index.ts";
import {
  arena,
  simd,
  both,
  copyOf,
  expectSameBits,
  expectClose,
  forSeeds,
  results,
  expectSameResults,
} from "./test-support/kernel-comparison.ts";

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
  test("sigmoid, add and addGatheredRows: simd equals plain", () => {
    forSeeds("elements", 30, (draw) => {
      const [rows, size] = [draw.count(5), draw.size(40)];
      const shape = [rows, size];
      const [x, y] = [draw.tensor(...shape), draw.tensor(...shape)];
      const table = draw.tensor(draw.size(7), size);
      const choices = rows * draw.count(9);
      const gathered = draw.positions(choices, table.shape[0]!);
      const factors = Float32Array.from({ length: choices }, () => draw.value());
      expectSameResults(shape, (kernels, out) => kernels.sigmoid(out, x));
      expectSameResults(shape, (kernels, out) => {
        out.data.set(x.data);
        kernels.add(out, y);
      });
      expectSameResults(shape, (kernels, out) => {
        out.data.set(x.data);
        kernels.addGatheredRows(out, table, gathered, factors);
      });
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
        const wide = arena.zeros([2, 21]);
        wide.data[21 + 17] = Number.NaN;
        const few = (): void => kernels.topK(wide, 2, new Int32Array(4), new Float32Array(4));
        expect(few).toThrow("a NaN stands in row 1, column 17");
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
