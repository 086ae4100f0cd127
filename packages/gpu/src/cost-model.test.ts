import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  absorbedAttention,
  copyKernel,
  CostModel,
  exchangeKernel,
  expandedAttention,
  HARDWARE_PROFILES,
  type HardwareProfile,
  indexKernels,
  matrixProduct,
  memoryKernel,
  type OperationCost,
  quantization,
  rowKernel,
  type RowSpread,
} from "./index.ts";

const h800 = HARDWARE_PROFILES.get("h800")!;
/** 100 SMs; 1 TB/s; 1 and 2 TFLOPS of each SM; everything reached in full, a microsecond for each kernel, no gap behind it. */
const round: HardwareProfile = {
  ...h800,
  name: "round",
  sms: 100,
  memoryBytesPerSecond: 1e12,
  flops: { bf16: 1e14, fp8: 2e14 },
  kernels: {
    overheadUs: 1,
    tensor: 1,
    memory: 1,
    operandBytesPerSecondPerSm: 1e15,
    tileUs: 1e-9,
    streaming: 0.5,
    casting: 0.25,
    rowUs: 3,
    indexUsPerRow: 0.01,
    absorbedUs: 10,
    absorbedExtraPositions: 100,
    absorbedTensor: 0.5,
    expandedTensor: 0.5,
    expandedTileUs: 4,
  },
  launchUs: 2,
  gapUs: 0,
};

function microseconds(cost: OperationCost, sms: number = 100, profile: HardwareProfile = round): number {
  return new CostModel(profile).duration([cost], sms) / 1e6;
}

describe("the cost model", () => {
  const model = new CostModel(round);
  const kernel = memoryKernel(1e6); // A megabyte at half of 1 TB/s is 2 µs, and 1 µs for the kernel.

  test("adds up kernels in a row, slows down with the GPU, and rounds up to picoseconds", () => {
    expect(model.duration([kernel], 100)).toBe(3e6);
    expect(model.duration([kernel, kernel], 100)).toBe(6e6);
    expect(new CostModel(round, 0.5).duration([kernel], 100)).toBe(6e6);
    expect(new CostModel(round, 0.7).duration([kernel], 100)).toBe(Math.ceil(3e6 / 0.7));
    expect(model.launchTime([kernel, kernel])).toBe(4e6);
    expect(() => model.duration([kernel], 101)).toThrow(/101 of 100 SMs/);
  });

  test("leaves a gap behind each kernel, but for those of dispatch and combine, whose fitted times contain it", () => {
    const gapped = new CostModel({ ...round, gapUs: 0.5 });
    expect(gapped.duration([kernel, kernel], 100)).toBe(6e6 + 2 * 0.5e6);
    // 3 kernels of 1 µs, 100 rows at 0.01 µs, 3 gaps.
    expect(gapped.duration([indexKernels(100)], 100)).toBe(3e6 + 1e6 + 3 * 0.5e6);
    const exchange = exchangeKernel("copy", 0);
    expect(gapped.duration([exchange], 100)).toBe(model.duration([exchange], 100));
  });

  test("gives half of the SMs the whole memory bandwidth, and fewer their part", () => {
    const copy = copyKernel(4e6); // 4 µs at 1 TB/s
    expect([100, 50, 25].map((sms) => microseconds(copy, sms))).toEqual([5, 5, 9]);
    // Beside 24 communicating SMs of an H800, a copy loses nothing.
    expect(microseconds(copy, 108, h800)).toBe(microseconds(copy, 132, h800));
  });

  test("lets rows that are reduced wait for an SM, beside their bytes", () => {
    // 400 rows on 100 SMs: 4 rounds of 3 µs; 1 µs of overhead; 2 bytes for each of 1e6 elements at 0.5 TB/s: 4 µs.
    expect(microseconds(rowKernel(400, 1e6))).toBeCloseTo(1 + 12 + 4, 6);
    // A single row takes its 3 µs, however many SMs there are.
    expect(microseconds(rowKernel(1, 0))).toBe(4);
  });

  test("quantisation reads BF16, writes FP8 and a scale for every 128 channels", () => {
    expect(quantization(128).bytes).toBe(256 + 128 + 4);
    // At a quarter of 1 TB/s: a million groups of 388 bytes take 1,552 µs.
    expect(microseconds(quantization(128e6))).toBeCloseTo(1 + 1552, 6);
  });
});

describe("a matrix product", () => {
  /** So much memory bandwidth that only arithmetic counts. */
  const fastMemory: HardwareProfile = { ...round, memoryBytesPerSecond: 1e18 };

  test("runs in waves of tiles over the SMs", () => {
    // A tile of 128 x 128 takes 2 * 128 * 128 * 1280 operations at 2 TFLOPS: 20.97 µs. 100 SMs hold 100 of them.
    const full = microseconds(matrixProduct(128, 1280, 12_800, "fp8"), 100, fastMemory);
    expect(full).toBeCloseTo(1 + 20.97152, 5);
    // One column more: 101 such tiles would be two waves; 1,602 of 64 x 16, each a sixteenth, are 17.
    const spilled = microseconds(matrixProduct(128, 1280, 12_801, "fp8"), 100, fastMemory);
    expect(spilled).toBeCloseTo(1 + (17 / 16) * 20.97152, 5);
    // On 50 SMs the full one takes two waves.
    const half = microseconds(matrixProduct(128, 1280, 12_800, "fp8"), 50, fastMemory);
    expect(half).toBeCloseTo(1 + 2 * 20.97152, 5);
  });

  test("hides arithmetic and memory behind each other in part", () => {
    // 20.97152 µs of arithmetic, and memory three quarters of that: 5 for 4 and 3.
    const product = matrixProduct(128, 1280, 12_800, "fp8");
    const seconds = (0.75 * 20.971_52) / 1e6;
    const profile: HardwareProfile = { ...round, memoryBytesPerSecond: product.bytes / seconds };
    expect(microseconds(product, 100, profile)).toBeCloseTo(1 + 1.25 * 20.97152, 5);
  });

  test("is bound by operands where tiles are small", () => {
    // 64 rows and 1,600 columns: 100 tiles of 64 x 16, of 10 steps of 80 * 128 bytes at 10.24 GB/s: 10 µs.
    const slowLoads = { ...fastMemory.kernels, operandBytesPerSecondPerSm: 10.24e9 };
    const profile: HardwareProfile = { ...fastMemory, kernels: slowLoads };
    expect(microseconds(matrixProduct(64, 1280, 1600, "fp8"), 100, profile)).toBeCloseTo(1 + 10, 5);
  });

  test("reads each of several matrices once, and counts the operations of all rows", () => {
    const grouped = matrixProduct(1024, 7168, 4096, "fp8", 2);
    // DeepGEMM's table: 2 x 512 rows at 1,040 TFLOPS move 1,288 GB/s, so 74.5 MB.
    expect(grouped.bytes / 1e6).toBeCloseTo(74.4, 1);
    expect(grouped.flops).toBe(2 * 1024 * 7168 * 4096);
  });
});

describe("attention cores", () => {
  const mla = { heads: 128, keySize: 576, valueSize: 512 };
  const request = (count: number, context: number) => ({
    newPositions: [count],
    contextPositions: [context],
  });

  test("a cached token costs 1,152 bytes and 278,528 operations in the absorbed form", () => {
    expect(absorbedAttention(mla, request(1, 1))).toMatchObject({ bytes: 1152, flops: 278_528 });
  });

  test("a second new position doubles the arithmetic of a request and reads nothing more", () => {
    const [one, two] = [1, 2].map((count) => absorbedAttention(mla, request(count, 4096)));
    expect(two!.flops).toBe(2 * one!.flops);
    expect(two!.bytes).toBe(one!.bytes);
  });

  test("few heads are padded to a block of 64 query rows", () => {
    const [few, full] = [16, 64].map((heads) => absorbedAttention({ ...mla, heads }, request(1, 4096)));
    expect(few!.flops).toBe(full!.flops / 4);
    expect(microseconds(few!)).toBe(microseconds(full!));
  });

  test("the expanded form counts half of the square of new positions and all of the cached ones", () => {
    const shape = { heads: 128, keySize: 192, valueSize: 128 };
    expect(expandedAttention(shape, request(4, 10)).flops).toBe(2 * 128 * 320 * (4 * 6 + 10));
  });

  test("prefill comes nearer to the peak the longer a prompt is", () => {
    const shape = { heads: 128, keySize: 192, valueSize: 128 };
    const rates = [1024, 4096, 16_384].map((length) => {
      const cost = expandedAttention(shape, request(length, length));
      return cost.flops / microseconds(cost, 132, h800);
    });
    expect(rates).toEqual(rates.toSorted((a, b) => a - b));
  });
});

describe("more work on fewer SMs never takes less time", () => {
  const size = fc.integer({ min: 1, max: 5000 });
  const sms = fc.integer({ min: 1, max: 132 });
  const precision = fc.constantFrom("fp8" as const, "bf16" as const);
  const on = (cost: OperationCost, count: number): number => new CostModel(h800).duration([cost], count);

  test.each<RowSpread>(["even", "uneven", "least"])("a product whose rows are spread: %s", (spread) => {
    fc.assert(
      fc.property(size, size, size, fc.integer({ min: 1, max: 32 }), precision, sms, size, (...drawn) => {
        const [rows, inputs, outputs, matrices, weights, count, more] = drawn;
        const time = on(matrixProduct(rows, inputs, outputs, weights, matrices, spread), count);
        const others = [
          matrixProduct(rows + more, inputs, outputs, weights, matrices, spread),
          matrixProduct(rows, inputs + more, outputs, weights, matrices, spread),
          matrixProduct(rows, inputs, outputs + more, weights, matrices, spread),
        ];
        // With rows at hand, further matrices make more tiles, unless they happen to divide the rows better.
        if (spread !== "even") {
          others.push(matrixProduct(rows, inputs, outputs, weights, matrices + 1, spread));
        }
        for (const other of others) expect(on(other, count)).toBeGreaterThanOrEqual(time);
        const cost = matrixProduct(rows, inputs, outputs, weights, matrices, spread);
        expect(on(cost, Math.max(1, count - 1))).toBeGreaterThanOrEqual(time);
      }),
    );
  });

  test("the least spread bounds the others", () => {
    fc.assert(
      fc.property(size, size, size, fc.integer({ min: 1, max: 32 }), sms, (...drawn) => {
        const [rows, inputs, outputs, matrices, count] = drawn;
        const [least, even, uneven] = (["least", "even", "uneven"] as const).map((spread) =>
          on(matrixProduct(rows, inputs, outputs, "fp8", matrices, spread), count),
        );
        expect(least).toBeLessThanOrEqual(Math.min(even!, uneven!));
      }),
    );
  });

  test("attention, rows and copies", () => {
    fc.assert(
      fc.property(size, size, fc.integer({ min: 1, max: 8 }), sms, (length, cached, more, count) => {
        const shape = { heads: 16, keySize: 192, valueSize: 128 };
        const kernels = (newPositions: number, before: number): OperationCost[] => {
          const requests = { newPositions: [newPositions], contextPositions: [before + newPositions] };
          return [
            absorbedAttention(shape, requests),
            expandedAttention(shape, requests),
            rowKernel(newPositions, newPositions * before),
            copyKernel(newPositions * before),
            quantization(newPositions * before),
            indexKernels(newPositions),
          ];
        };
        const larger = [kernels(length + more, cached), kernels(length, cached + more)];
        for (const [index, cost] of kernels(length, cached).entries()) {
          const time = on(cost, count);
          for (const other of larger) expect(on(other[index]!, count)).toBeGreaterThanOrEqual(time);
          expect(on(cost, Math.max(1, count - 1))).toBeGreaterThanOrEqual(time);
        }
      }),
    );
  });
});
