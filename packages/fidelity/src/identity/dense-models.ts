// Two models that the product does not run, for the published comparisons with DeepSeek's: dense, with grouped-query
// attention. Sizes are those of their config.json. Pure.

export interface DenseModel {
  readonly name: string;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly inner: number;
  readonly vocabulary: number;
}

export const QWEN_72B: DenseModel = {
  name: "Qwen2.5-72B",
  layers: 80,
  hidden: 8192,
  heads: 64,
  keyValueHeads: 8,
  headSize: 128,
  inner: 29_568,
  vocabulary: 152_064,
};

export const LLAMA_405B: DenseModel = {
  name: "LLaMA-3.1-405B",
  layers: 126,
  hidden: 16_384,
  heads: 128,
  keyValueHeads: 8,
  headSize: 128,
  inner: 53_248,
  vocabulary: 128_256,
};

/** Keys and values of all layers, in BF16. */
export function denseCacheBytesPerPosition({ layers, keyValueHeads, headSize }: DenseModel): number {
  return 2 * layers * keyValueHeads * headSize * 2;
}

/** Parameters that a token is multiplied with: all but the embedding table. */
export function denseMultipliedParameters(model: DenseModel): number {
  const { layers, hidden, heads, keyValueHeads, headSize, inner, vocabulary } = model;
  const attention = 2 * hidden * headSize * (heads + keyValueHeads);
  return layers * (attention + 3 * hidden * inner) + vocabulary * hidden;
}
