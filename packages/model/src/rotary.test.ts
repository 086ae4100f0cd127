import { TensorMemory } from "@windtunnel/tensor";
import { expect, test } from "vitest";
import { findPreset } from "./presets.ts";
import { createRopeTables, rotaryFrequencies, softmaxScale } from "./rotary.ts";

const V3 = findPreset("deepseek-v3").config;

// mechanics §1.3
const GOLDEN = [
  1, 0.74989421, 0.56234133, 0.4216965, 0.31622777, 0.23713737, 0.17782794, 0.13335214, 0.1, 0.074989421,
  0.056234133, 0.039006927, 0.02687936, 0.018378146, 0.012447956, 0.008334509, 0.0055, 0.0035619975,
  0.0022493653, 0.0013705136, 7.9056942e-4, 4.149904e-4, 1.7782794e-4, 3.3338036e-5, 2.5e-5, 1.8747355e-5,
  1.4058533e-5, 1.0542413e-5, 7.9056942e-6, 5.9284343e-6, 4.4456985e-6, 3.3338036e-6,
];

test("YaRN stretches the frequencies of DeepSeek-V3 to the golden ones", () => {
  const frequencies = rotaryFrequencies(V3);
  expect(frequencies.length).toBe(32);
  for (const [pair, golden] of GOLDEN.entries()) expect(frequencies[pair]! / golden).toBeCloseTo(1, 6);
});

test("the softmax scale carries mscale squared for both families", () => {
  expect(softmaxScale(V3)).toBeCloseTo(0.1352337788, 9);
  expect(softmaxScale(findPreset("deepseek-v2-lite").config)).toBeCloseTo(0.1147213876, 8);
  expect(softmaxScale({ ...V3, yarn: null })).toBeCloseTo(0.0721687836, 9);
  expect(softmaxScale({ ...V3, yarn: { ...V3.yarn!, mscaleAllDim: 0 } })).toBeCloseTo(0.0721687836, 9);
});

test("tables hold cosine and sine of position times frequency", () => {
  const memory = TensorMemory.create(65_536);
  const { cosines, sines } = createRopeTables({ ...V3, yarn: null }, 5, (shape) => memory.tensor(shape));
  expect(cosines.data[3 * 32]).toBeCloseTo(-0.9899925, 6); // cos 3
  expect(sines.data[3 * 32]).toBeCloseTo(0.14112, 6); // sin 3
  expect(cosines.data[0]).toBe(1);
  expect(cosines.data[31]).toBe(1);
});

test("cosines and sines are magnified where only one mscale is given", () => {
  const memory = TensorMemory.create(65_536);
  const yarn = { ...V3.yarn!, mscaleAllDim: 0 };
  const { cosines } = createRopeTables({ ...V3, yarn }, 1, (shape) => memory.tensor(shape));
  expect(cosines.data[0]).toBeCloseTo(1.3688879454, 6); // 0.1 ln 40 + 1
});
