// I7: what a day of the published deployment cost and earned. Shown only: the token counts behind the revenue are
// published rounded to billions.

import { comparedRow, type FidelityRow } from "../row.ts";

const NODES = { prefill: 95.5, decode: 131.4, mean: 226.75 };
const DOLLARS_PER_GPU_HOUR = 2;
/** Billions of tokens, and dollars for a million of them: inputs found in the cache, other inputs, outputs. */
const TOKENS = { hits: 342, misses: 608 - 342, outputs: 168 };
const PRICES = { hits: 0.14, misses: 0.55, outputs: 2.19 };

export function economicsRows(): FidelityRow[] {
  const cost = NODES.mean * 8 * 24 * DOLLARS_PER_GPU_HOUR;
  const thousands = (Object.keys(TOKENS) as (keyof typeof TOKENS)[]).map(
    (kind) => TOKENS[kind] * PRICES[kind],
  );
  const revenue = 1e3 * thousands.reduce((sum, part) => sum + part, 0);
  const rows: [string, number, number, string, number, string?][] = [
    ["nodes, prefill and decode together", 226.75, NODES.prefill + NODES.decode, "", 2],
    ["cost of a day", 87_072, cost, "$", 0],
    ["revenue of a day", 562_027, revenue, "$", 0, "From token counts rounded to billions."],
    ["revenue over cost, less one", 545, 100 * (revenue / cost - 1), "%", 1],
  ];
  return rows.map(([quantity, published, ours, unit, decimals, note]) =>
    comparedRow("shown", {
      quantity,
      published,
      ours,
      unit,
      decimals,
      source: "deepseek-ai/open-infra-index, day 6",
      note,
    }),
  );
}
