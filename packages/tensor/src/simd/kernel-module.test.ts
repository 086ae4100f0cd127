import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createSimdKernels, TensorMemory } from "../index.ts";

const KERNELS = new URL("../../kernels/kernels.wasm", import.meta.url);
const GLOBAL_SECTION = 6;
const DATA_SECTION = 11;

/** The ids of a WebAssembly binary's sections: after 8 bytes of header each is an id, a LEB128 size and its bytes. */
function sectionIds(binary: Uint8Array): number[] {
  const ids: number[] = [];
  let at = 8;
  while (at < binary.length) {
    ids.push(binary[at++]!);
    let [size, shift] = [0, 0];
    let byte: number;
    do {
      byte = binary[at++]!;
      size += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte >= 0x80);
    at += size;
  }
  return ids;
}

test("the module brings no data and no stack into the memory that all threads share", () => {
  const ids = sectionIds(readFileSync(KERNELS));
  expect(ids).not.toContain(DATA_SECTION);
  expect(ids).not.toContain(GLOBAL_SECTION);
});

test("it links to a shared memory of one page and to one that may grow to 4 GiB", () => {
  expect(createSimdKernels(TensorMemory.create(1)).name).toBe("simd");
  const growing = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
  expect(createSimdKernels(TensorMemory.attach(growing)).name).toBe("simd");
});

test("the constants stay inside the reserved bytes and leave the allocation pointer alone", () => {
  const memory = TensorMemory.create(64 * 1024);
  const first = memory.tensor([16]);
  createSimdKernels(memory);
  const [beforeConstants, afterConstants] = [memory.bytesAt(32, 480), memory.bytesAt(960, 64)];
  expect([...beforeConstants, ...afterConstants].every((byte) => byte === 0)).toBe(true);
  expect(memory.allocate(64)).toBe(first.address + 64);
});
