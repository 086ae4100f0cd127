import { expect, test } from "vitest";
import { createSimdKernels, packedElementCount, packMatrix, TensorMemory } from "./index.ts";

test("the README's example gives [7, 16]", () => {
  const memory = TensorMemory.create(1024 * 1024);
  const kernels = createSimdKernels(memory);
  const weights = packMatrix(
    memory.tensor([packedElementCount(2, 3)]),
    Float32Array.of(1, 2, 3, 4, 5, 6),
    2,
    3,
  );
  const arena = memory.arena(64 * 1024);
  arena.scope(() => {
    const x = arena.tensor([1, 3]);
    x.data.set([1, 0, 2]);
    const out = arena.tensor([1, 2]);
    kernels.matmul(out, x, weights);
    expect([...out.data]).toEqual([7, 16]);
  });
});
