// A published all-to-all beside ours: two rows, dispatch and combine.

import type { PhaseResult } from "@windtunnel/cluster";
import type { Phase } from "@windtunnel/trace";
import { exchangeCommand, measureExchange } from "./measured-exchange.ts";
import type { PublishedExchange } from "./published-exchanges.ts";
import { comparedRow, type FidelityRow, type RowPart } from "./row.ts";

const MODES = { normal: "normal", "low-latency": "low latency" } as const;

export function exchangePart(table: "calibration" | "prediction", exchange: PublishedExchange): RowPart {
  const { id } = exchange;
  return {
    table,
    section: "Dispatch and combine",
    id,
    title: titleOf(exchange),
    command: exchangeCommand(exchange),
    rows: () => exchangeRows(table, exchange),
  };
}

function titleOf({ pattern, ranks, nvlink }: PublishedExchange): string {
  const way = nvlink ? "" : ", NICs only";
  return `${MODES[pattern]}, EP${ranks}${way}`;
}

function exchangeRows(table: "calibration" | "prediction", exchange: PublishedExchange): FidelityRow[] {
  const result = measureExchange(exchange);
  const row = (phase: Phase): FidelityRow => {
    const measured = result[phase];
    const published = exchange[phase];
    const conversion =
      "us" in published
        ? undefined
        : `Published as ${published.logicalGBps} GB/s, logical; in µs by the ` +
          `${result.nodesPerToken.toFixed(3)} nodes that a token reaches in our run.`;
    const notes = [conversion, exchange.notes?.[phase]].filter((note) => note !== undefined);
    return comparedRow(table === "calibration" ? "fitted" : "gated", {
      quantity: `${phase}, ${titleOf(exchange)}`,
      published: microsecondsOf(exchange, phase, measured),
      ours: measured.us,
      unit: "µs",
      decimals: 1,
      source: exchange.source,
      note: notes.length === 0 ? undefined : notes.join(" "),
    });
  };
  return [row("dispatch"), row("combine")];
}

/** Bandwidth is published as logical bytes over time: our run's bytes are the benchmark's, so the time follows. */
function microsecondsOf(exchange: PublishedExchange, phase: Phase, { logicalBytes }: PhaseResult): number {
  const published = exchange[phase];
  return "us" in published ? published.us : Math.round(logicalBytes / published.logicalGBps / 1e3);
}
