import { describe, expect, test } from "vitest";
import {
  decodeBF16,
  decodeE4M3,
  dequantizeBlocks,
  encodeBF16,
  encodeE4M3,
  scaleE4M3,
  scaleUE8M0,
} from "./number-formats.ts";

const throughE4M3 = (value: number) => decodeE4M3(encodeE4M3(value));
const throughBF16 = (value: number) => decodeBF16(encodeBF16(value));

describe("E4M3", () => {
  // The golden values of DeepSeek's format (reference/mechanics.md §1.4).
  test.each([
    [0.1, 0.1015625],
    [1 / 3, 0.34375],
    [1.0625, 1],
    [1.1875, 1.25],
    [17, 16],
    [19, 20],
    [100, 96],
    [431.9, 416],
    [432, 448],
    [0.001, 0.001953125],
    [2 ** -10, 0],
  ])("%d becomes %d", (value, rounded) => {
    expect(throughE4M3(value)).toBe(rounded);
    expect(throughE4M3(-value)).toBe(-rounded);
  });

  test("448 is 0x7E, the smallest normal 2^-6 is 0x08, the smallest subnormal 2^-9 is 0x01", () => {
    expect([encodeE4M3(448), encodeE4M3(2 ** -6), encodeE4M3(2 ** -9)]).toEqual([0x7e, 0x08, 0x01]);
    expect(encodeE4M3(-448)).toBe(0xfe);
  });

  test("what is larger than 448 saturates, infinity too", () => {
    expect([464, 465, 1e30, Infinity].map(encodeE4M3)).toEqual([0x7e, 0x7e, 0x7e, 0x7e]);
    expect(encodeE4M3(-Infinity)).toBe(0xfe);
  });

  test("NaN is 0x7F, and both NaN codes decode to NaN", () => {
    expect(encodeE4M3(Number.NaN)).toBe(0x7f);
    expect([decodeE4M3(0x7f), decodeE4M3(0xff)]).toEqual([Number.NaN, Number.NaN]);
  });

  test("every other code survives decoding and encoding, minus zero too", () => {
    const codes = Array.from({ length: 256 }, (_, code) => code).filter((code) => (code & 0x7f) !== 0x7f);
    expect(codes.map((code) => encodeE4M3(decodeE4M3(code)))).toEqual(codes);
    expect(decodeE4M3(0x80)).toBe(-0);
  });

  test("the middle between two neighbours goes to the even code, a little more or less to the nearer", () => {
    for (let code = 0; code < 0x7e; code++) {
      const middle = (decodeE4M3(code) + decodeE4M3(code + 1)) / 2;
      const even = code % 2 === 0 ? code : code + 1;
      // One part in 2^20 is less than half a step and more than the rounding of a 32-bit float.
      const around = [middle * (1 - 2 ** -20), middle, middle * (1 + 2 ** -20)];
      expect(around.map(encodeE4M3)).toEqual([code, even, code + 1]);
    }
  });

  test("a byte too large is refused", () => {
    expect(() => decodeE4M3(256)).toThrow("not a byte");
  });
});

describe("BF16", () => {
  test("all 65,536 codes survive decoding and encoding; every NaN becomes 0x7FC0", () => {
    const wrong: number[] = [];
    for (let code = 0; code < 65_536; code++) {
      const isNaNCode = (code & 0x7fff) > 0x7f80;
      if (encodeBF16(decodeBF16(code)) !== (isNaNCode ? 0x7fc0 : code)) wrong.push(code);
    }
    expect(wrong).toEqual([]);
  });

  test("ties go to the even code", () => {
    // Between 1 and 2 the step is 2^-7, so 1 + 2^-8 and 1 + 3 · 2^-8 are ties.
    expect(throughBF16(1 + 2 ** -8)).toBe(1);
    expect(throughBF16(1 + 3 * 2 ** -8)).toBe(1 + 2 ** -6);
    expect(throughBF16(1 + 2 ** -8 + 2 ** -20)).toBe(1 + 2 ** -7);
  });

  test("what rounds beyond the largest value becomes infinite", () => {
    expect(throughBF16(3.4e38)).toBe(Infinity);
    expect(throughBF16(-3.4e38)).toBe(-Infinity);
  });
});

describe("scales", () => {
  test("the tile {.5, −1.25, 3, .007} has scale .006696429 and codes of {72, −192, 448, 1}", () => {
    const scale = scaleE4M3(3);
    expect(scale).toBeCloseTo(0.006696429, 9);
    expect([0.5, -1.25, 3, 0.007].map((value) => throughE4M3(value / scale))).toEqual([72, -192, 448, 1]);
  });

  test("as UE8M0 the same tile has scale .0078125", () => {
    expect(scaleUE8M0(3)).toBe(0.0078125);
  });

  test("a UE8M0 scale is the least power of two that is not below amax / 448", () => {
    for (let exponent = -8; exponent < 40; exponent++) {
      const amax = 448 * 2 ** exponent;
      expect(scaleUE8M0(amax)).toBe(2 ** exponent);
      expect(scaleUE8M0(amax * (1 + 2 ** -23))).toBe(2 ** (exponent + 1));
      expect(scaleUE8M0(amax * (1 - 2 ** -23))).toBe(2 ** exponent);
    }
  });

  test("a tile of zeros has the scale of 1e-4", () => {
    expect(scaleE4M3(0)).toBe(Math.fround(Math.fround(1e-4) / 448));
    // 1e-4 / 448 = 2.23e-7, between 2^-23 = 1.19e-7 and 2^-22 = 2.38e-7.
    expect(scaleUE8M0(0)).toBe(2 ** -22);
  });
});

describe("weight blocks", () => {
  test("each block has its own scale, short ones at the edges too", () => {
    // 3 × 5 weights in blocks of 2: 2 × 3 blocks.
    const codes = new Uint8Array(15).fill(encodeE4M3(1.5));
    const out = new Float32Array(15);
    dequantizeBlocks(out, codes, Float32Array.of(1, 2, 4, 8, 16, 32), 3, 5, 2);
    const upper = [1.5, 1.5, 3, 3, 6];
    expect([...out]).toEqual([...upper, ...upper, 12, 12, 24, 24, 48]);
  });

  test("a missing scale is refused", () => {
    const codes = new Uint8Array(129);
    expect(() => dequantizeBlocks(new Float32Array(129), codes, new Float32Array(1), 1, 129)).toThrow(
      "2 blocks",
    );
  });
});
