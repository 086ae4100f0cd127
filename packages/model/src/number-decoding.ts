// Bytes of a checkpoint's tensor to 32-bit floats: F32, BF16, F16, and E8M0 (powers of two, the scales of E4M3, whose
// codes `dequantizeBlocks` decodes). Every value of these formats is a 32-bit float, so nothing is rounded. NaN and
// infinity pass: whoever knows the tensor's name refuses them.

import { decodeUE8M0 } from "@windtunnel/tensor";

export type NumberDtype = "F32" | "BF16" | "F16" | "F8_E8M0";

/** Decodes little-endian bytes; WebAssembly, and with it all of Windtunnel, is little-endian anyway. */
export function decodeNumbers(dtype: NumberDtype, bytes: Uint8Array<ArrayBuffer>): Float32Array {
  if (dtype === "F8_E8M0") return Float32Array.from(bytes, decodeUE8M0);
  if (dtype === "F32") return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  return dtype === "BF16" ? decodeBF16(halves) : decodeByTable(F16_VALUES.get(), halves);
}

/** Index of the first NaN or infinity, or -1. */
export function firstNonFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) return i;
  }
  return -1;
}

function decodeBF16(codes: Uint16Array): Float32Array {
  const values = new Float32Array(codes.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < codes.length; i++) words[i] = codes[i]! << 16;
  return values;
}

function decodeByTable(table: Float32Array, codes: Uint16Array): Float32Array {
  const values = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) values[i] = table[codes[i]!]!;
  return values;
}

/** A table that is made when it is first needed. */
class LazyTable {
  readonly #size: number;
  readonly #valueOf: (code: number) => number;
  #values: Float32Array | undefined;

  constructor(size: number, valueOf: (code: number) => number) {
    this.#size = size;
    this.#valueOf = valueOf;
  }

  get(): Float32Array {
    this.#values ??= Float32Array.from({ length: this.#size }, (_, code) => this.#valueOf(code));
    return this.#values;
  }
}

/** IEEE half precision: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
const F16_VALUES = new LazyTable(65_536, (code) => {
  const sign = code & 0x8000 ? -1 : 1;
  const exponent = (code >> 10) & 0x1f;
  const fraction = code & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  // A power of two, exactly.
  const scale = exponent < 15 ? 1 / (1 << (15 - exponent)) : 1 << (exponent - 15);
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * scale;
});
