// I5: endpoints, switches and links of the compared topologies, by formula; what an endpoint costs, from the published
// totals.

import { topologyComparison } from "@windtunnel/network-plane";
import { comparedRow, exactRow, type FidelityRow } from "../row.ts";

const PUBLISHED: Readonly<Record<string, readonly [endpoints: number, switches: number, links: number]>> = {
  FT2: [2048, 96, 2048],
  MPFT: [16_384, 768, 16_384],
  FT3: [65_536, 5120, 131_072],
  "Slim Fly": [32_928, 1568, 32_928],
  Dragonfly: [261_632, 16_352, 384_272],
};

const SOURCE = "ISCA'25 paper, table 3";

export function topologyRows(): FidelityRow[] {
  const compared = topologyComparison();
  const counts = compared.flatMap(({ name, endpoints, switches, links }) => {
    const ours = { endpoints, switches, links };
    return Object.entries(ours).map(([what, value], index) =>
      exactRow({
        quantity: `${name}, ${what}`,
        published: PUBLISHED[name]![index]!,
        ours: value,
        unit: "",
        decimals: 0,
        source: SOURCE,
      }),
    );
  });
  const costs = compared.map(({ name, endpoints, publishedCost }) =>
    comparedRow("shown", {
      quantity: `${name}, cost of an endpoint`,
      published: publishedCost!.thousandPerEndpoint,
      ours: (publishedCost!.millionDollars * 1e3) / endpoints,
      unit: "k$",
      decimals: 2,
      source: `${SOURCE}; ours is the published total over our endpoints`,
    }),
  );
  return [...counts, ...costs];
}
