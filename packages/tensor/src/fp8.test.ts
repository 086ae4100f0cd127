// E4M3 and its scales, bit by bit, against an oracle that is written from mechanics §1.4 alone: the nearest of all codes
// by searching them. Every BF16 value, every UE8M0 scale, random 32-bit scales; plain and SIMD kernels.

import { RandomStream } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import {
  decodeBF16,
  decodeE4M3,
  decodeUE8M0,
  encodeE4M3,
  type Kernels,
  scaleE4M3,
  type ScaleFormat,
  scaleUE8M0,
  type Tensor,
} from "./index.ts";
import { arena, both, FIXED_SEED, forSeeds } from "./test-support/kernel-comparison.ts";

const { fround } = Math;
const TILE = 128;
const ALL_BF16 = Float32Array.from({ length: 65_536 }, (_, code) => decodeBF16(code));
const ALL_UE8M0 = Array.from({ length: 256 }, (_, code) => (code === 255 ? Number.NaN : 2 ** (code - 127)));

/** Values of the codes 0x00 to 0x7e: 1 sign, 4 exponent (bias 7), 3 fraction bits; least normal 2^-6. */
const MAGNITUDES = Array.from({ length: 0x7f }, (_, code) => {
  const [exponent, fraction] = [code >> 3, code & 7];
  return exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7);
});

/** The nearest code by looking at all, the even one of two; differences of the numbers at hand are exact. */
function nearestBySearch(value: number): number {
  let nearest = 0;
  const magnitude = Math.abs(value);
  for (const [code, candidate] of MAGNITUDES.entries()) {
    const [distance, least] = [Math.abs(magnitude - candidate), Math.abs(magnitude - MAGNITUDES[nearest]!)];
    if (distance < least || (distance === least && code % 2 === 0)) nearest = code;
  }
  return withSign(magnitude > 448 ? 0x7e : nearest, value);
}

/** The same, by bisection between the middles of neighbours, which are exact. */
function nearestCode(value: number): number {
  const magnitude = Math.abs(value);
  let [low, high] = [0, 0x7e];
  while (low < high) {
    const code = (low + high) >> 1;
    const middle = (MAGNITUDES[code]! + MAGNITUDES[code + 1]!) / 2;
    const isAbove = magnitude > middle || (magnitude === middle && code % 2 === 1);
    if (isAbove) low = code + 1;
    else high = code;
  }
  return withSign(low, value);
}

function withSign(code: number, value: number): number {
  return value < 0 || Object.is(value, -0) ? code | 0x80 : code;
}

/** The least power of two that is not below max(amax, 1e-4) / 448; the products are exact. */
function leastPowerOfTwo(amax: number): number {
  let exponent = -127;
  while (448 * 2 ** exponent < Math.max(amax, fround(1e-4))) exponent++;
  return 2 ** exponent;
}

/** What a tile becomes: its scale, its codes, and the values that they stand for. */
function tileByDefinition(
  tile: Float32Array,
  format: ScaleFormat,
): { scale: number; codes: number[]; values: number[] } {
  const amax = tile.reduce((most, value) => Math.max(most, Math.abs(value)), fround(1e-4));
  const scale = format === "ue8m0" ? leastPowerOfTwo(amax) : fround(amax / 448);
  // A quotient of two 32-bit floats that is rounded to 64 and then to 32 bits is rounded correctly.
  const codes = Array.from(tile, (value) => nearestCode(fround(value / scale)));
  const values = codes.map((code) =>
    fround((code < 0x80 ? MAGNITUDES[code]! : -MAGNITUDES[code & 0x7f]!) * scale),
  );
  return { scale, codes, values };
}

/** Rows of one tile each, by the kernels and by the definition; fails at the first difference, with `where`. */
function expectTilesByDefinition(rows: readonly Float32Array[], format: ScaleFormat, where: string): void {
  arena.scope(() => {
    const x = arena.tensor([rows.length, TILE]);
    for (const [row, tile] of rows.entries()) x.data.set(tile, row * TILE);
    const expected = rows.map((tile) => tileByDefinition(tile, format));
    for (const kernels of both) {
      const { codes, scales, values } = throughE4M3(kernels, x, format);
      for (const [row, tile] of expected.entries()) {
        const at = (i: number): string => `${where}, ${format}, ${kernels.name}: tile ${row}, element ${i}`;
        expectSame([scales[row]!], [tile.scale], at);
        expectSame(codes.subarray(row * TILE, (row + 1) * TILE), tile.codes, at);
        expectSame(values.subarray(row * TILE, (row + 1) * TILE), tile.values, at);
      }
    }
  });
}

function throughE4M3(
  kernels: Kernels,
  x: Tensor,
  format: ScaleFormat,
): { codes: Uint8Array; scales: Float32Array; values: Float32Array } {
  const codes = arena.bytes(x.data.length);
  const scales = arena.tensor([x.shape[0]!]).data;
  const out = arena.tensor(x.shape);
  kernels.quantizeE4M3(codes, scales, x, format);
  kernels.dequantizeE4M3(out, codes, scales);
  return { codes, scales, values: out.data };
}

function expectSame(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  where: (i: number) => string,
): void {
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) expect(actual[i], where(i)).toBe(expected[i]);
  }
}

function shuffled(values: Float32Array, random: RandomStream): Float32Array {
  const result = values.slice();
  for (let i = result.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [result[i], result[other]] = [result[other]!, result[i]!];
  }
  return result;
}

function tilesOf(values: Float32Array): Float32Array[] {
  return Array.from({ length: values.length / TILE }, (_, tile) =>
    values.slice(tile * TILE, (tile + 1) * TILE),
  );
}

describe("E4M3 of every BF16 value", () => {
  test("is the nearest code, the even one of two; above 448, 448; an infinity too", () => {
    const wrong: string[] = [];
    for (const [code, value] of ALL_BF16.entries()) {
      if (Number.isNaN(value)) continue;
      const expected = nearestBySearch(value);
      if (encodeE4M3(value) !== expected || nearestCode(value) !== expected) wrong.push(code.toString(16));
    }
    expect(wrong).toEqual([]);
  });

  test("is 0x7f for every NaN", () => {
    const codes = ALL_BF16.filter(Number.isNaN).map(encodeE4M3);
    expect(codes.length).toBe(2 * 127);
    expect(new Set(codes)).toEqual(new Set([0x7f]));
  });

  test("reads back as itself: what is decoded encodes to the same code", () => {
    const wrong: string[] = [];
    for (const value of ALL_BF16) {
      const code = encodeE4M3(value);
      if (encodeE4M3(decodeE4M3(code)) !== code) wrong.push(String(value));
    }
    expect(wrong).toEqual([]);
  });

  test("divided by every UE8M0 scale is the nearest code of the exact quotient", () => {
    const wrong: string[] = [];
    for (const scale of ALL_UE8M0) {
      for (const value of ALL_BF16) {
        const quotient = value / scale;
        if (Number.isNaN(quotient)) continue;
        // Division by a power of two is exact here; as a 32-bit float it may end, where the code is 0 or 448 anyway.
        const code = encodeE4M3(fround(quotient));
        if (code !== nearestCode(quotient)) wrong.push(`${value} / ${scale}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe("tiles of 128", () => {
  const finite = ALL_BF16.filter(Number.isFinite);

  test.each(["f32", "ue8m0"] as const)("of all BF16 values in order, %s scales", (format) => {
    expectTilesByDefinition(tilesOf(finite), format, "in order");
  });

  test.each(["f32", "ue8m0"] as const)("of all BF16 values mixed, %s scales", (format) => {
    forSeeds(`mixed tiles ${format}`, 1, (draw) => {
      expectTilesByDefinition(tilesOf(shuffled(finite, draw.stream)), format, "mixed");
    });
  });

  test.each(["f32", "ue8m0"] as const)("of random numbers below a random amax, %s scales", (format) => {
    forSeeds(`random scales ${format}`, 1, ({ stream }) => {
      const tiles = Array.from({ length: 1500 }, () => {
        const amax = 2 ** (stream.below(250) - 125) * (1 + stream.uniform());
        // From the amax down to where codes are 0, and sometimes exactly between two codes.
        return Float32Array.from({ length: TILE }, (_, i) => {
          if (i === 0) return amax;
          const sign = stream.below(2) === 0 ? -1 : 1;
          const middle = (MAGNITUDES[stream.below(0x7e)]! + 2 ** -10) / 448;
          return sign * amax * (stream.below(4) === 0 ? middle : stream.uniform() * 2 ** -stream.below(22));
        });
      });
      expectTilesByDefinition(tiles, format, "random");
    });
  });

  test("of zeros, and of anything up to 1e-4, have the scale of 1e-4", () => {
    const small = [0, -0, 2 ** -149, 1e-38, 1e-10, 1e-4].map((value) => new Float32Array(TILE).fill(value));
    for (const format of ["f32", "ue8m0"] as const) expectTilesByDefinition(small, format, "small");
    expect(scaleE4M3(0)).toBe(fround(fround(1e-4) / 448));
    expect(scaleE4M3(1e-4)).toBe(scaleE4M3(0));
    expect(scaleUE8M0(0)).toBe(2 ** -22);
  });

  test("with a NaN keep their scale and their other codes; the NaN stays one", () => {
    arena.scope(() => {
      const x = arena.tensor([TILE, TILE]);
      x.data.fill(1);
      for (let row = 0; row < TILE; row++) x.data[row * TILE + row] = Number.NaN;
      for (const kernels of both) {
        const { scales, codes, values } = throughE4M3(kernels, x, "f32");
        expect(new Set(scales)).toEqual(new Set([fround(1 / 448)]));
        for (const [i, value] of values.entries()) {
          const isNaNPlace = Math.floor(i / TILE) === i % TILE;
          expect(value, `${kernels.name}, element ${i}`).toBe(isNaNPlace ? Number.NaN : 1);
          if (!isNaNPlace) expect(codes[i]).toBe(0x7e);
        }
      }
    });
  });

  test.each([Infinity, -Infinity])("with %d have an infinite scale and read back as NaN", (infinity) => {
    arena.scope(() => {
      const x = arena.tensor([1, TILE]);
      x.data.fill(1).set([infinity], 77);
      for (const format of ["f32", "ue8m0"] as const) {
        for (const kernels of both) {
          const { scales, values } = throughE4M3(kernels, x, format);
          expect(scales[0]).toBe(Infinity);
          expect(values.every(Number.isNaN)).toBe(true);
        }
      }
    });
  });
});

describe("reading codes back", () => {
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code);

  function expectProducts(scales: Float32Array, where: string): void {
    arena.scope(() => {
      const allCodes = new Uint8Array(256 * scales.length);
      for (let row = 0; row < scales.length; row++) allCodes.set(codes, row * 256);
      const perTile = Float32Array.from({ length: 2 * scales.length }, (_, tile) => scales[tile >> 1]!);
      const out = arena.tensor([scales.length, 256]);
      for (const kernels of both) {
        kernels.dequantizeE4M3(out, allCodes, perTile);
        const expected = Array.from(allCodes, (code, i) => {
          const magnitude = MAGNITUDES[code & 0x7f] ?? Number.NaN;
          return fround((code < 0x80 ? magnitude : -magnitude) * scales[i >> 8]!);
        });
        expectSame(
          out.data,
          expected,
          (i) => `${where}, ${kernels.name}: code ${i & 255}, scale ${scales[i >> 8]}`,
        );
      }
    });
  }

  test("all codes times all 256 UE8M0 scales are exact, or rounded where 32-bit floats end", () => {
    const scales = Float32Array.from(codes, decodeUE8M0);
    expectSame(scales, ALL_UE8M0, (code) => `UE8M0 code ${code}`);
    expectProducts(scales, "UE8M0");
  });

  test("all codes times random 32-bit scales are rounded once", () => {
    forSeeds("scales to read back with", 1, ({ stream }) => {
      // Any pattern of a 32-bit float: of any sign, subnormal, infinite, NaN.
      const patterns = Uint32Array.from({ length: 2000 }, () => stream.below(2 ** 32));
      expectProducts(new Float32Array(patterns.buffer), "random");
    });
  });
});

describe("UE8M0 scales", () => {
  test("are 2^ceil(log2(amax / 448)) for every exponent of a 32-bit amax, exact and a step to either side", () => {
    const bits = new Uint32Array(1);
    const float = new Float32Array(bits.buffer);
    const random = new RandomStream(FIXED_SEED, "fractions");
    for (let exponent = 0; exponent < 255; exponent++) {
      // 0x600000 is the fraction of 448 = 1.75 · 2^8.
      const fractions = [0, 1, 0x5fffff, 0x600000, 0x600001, 0x7fffff, random.below(0x800000)];
      for (const fraction of fractions) {
        bits[0] = exponent * 0x800000 + fraction;
        expect(scaleUE8M0(float[0]!), `amax ${float[0]}`).toBe(leastPowerOfTwo(float[0]!));
      }
    }
    expect(scaleUE8M0(Infinity)).toBe(Infinity);
    expect(scaleUE8M0(Number.NaN)).toBeNaN();
  });

  test("have codes from 0 to 254, 2^-127 to 2^127; 255 is NaN, and nothing else is a code", () => {
    expect([0, 1, 126, 127, 128, 254, 255].map(decodeUE8M0)).toEqual([
      2 ** -127,
      2 ** -126,
      0.5,
      1,
      2,
      2 ** 127,
      Number.NaN,
    ]);
    for (const code of [-1, 256, 0.5]) expect(() => decodeUE8M0(code)).toThrow("not a byte");
  });
});
