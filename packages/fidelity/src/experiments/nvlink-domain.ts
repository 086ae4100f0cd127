// 72 GPUs in one NVLink domain beside nine nodes with InfiniBand: decoding with 288 physical experts.

import { defined } from "@windtunnel/base";
import { HARDWARE_PROFILES } from "@windtunnel/gpu";
import {
  type ExperimentText,
  lastRankUs,
  type Measured,
  measureEach,
  microsecondsText,
  networkMegabytes,
} from "./experiment.ts";

export interface Domains {
  readonly nodes: Measured;
  readonly domain: Measured;
}

export function runDomains(): Domains {
  const common = { pattern: "low-latency", ranks: 72, experts: 256, redundantExperts: 32 };
  return measureEach({
    nodes: { gpu: "h800", ...common },
    domain: { gpu: "gb200", ...common },
  });
}

/** How many times as long the nodes take. */
export function domainFactor({ nodes, domain }: Domains): number {
  return lastRankUs(nodes.result) / lastRankUs(domain.result);
}

/** Of both phases in the domain, in microseconds: a GPU's bytes on its link, and the kernels' fixed times. */
function partsInDomain({ domain: { result } }: Domains): {
  readonly bytesUs: number;
  readonly fixedUs: number;
} {
  const { exchange, nvlinkBytesPerSecond } = defined(HARDWARE_PROFILES.get(result.options.gpu), "gb200");
  return {
    bytesUs: (nvlinkMegabytes(result) * 1e12) / nvlinkBytesPerSecond,
    fixedUs: exchange.lowLatencyDispatchUs + exchange.lowLatencyCombineUs,
  };
}

function nvlinkMegabytes({ dispatch, combine, options }: Measured["result"]): number {
  return (dispatch.nvlinkBytes + combine.nvlinkBytes) / options.ranks / 1e6;
}

export function domainText(runs: Domains): ExperimentText {
  const row = (what: string, { result }: Measured): string[] => [
    what,
    microsecondsText(result.dispatch.us),
    microsecondsText(result.combine.us),
    microsecondsText(lastRankUs(result)),
    networkMegabytes(result).toFixed(1),
    nvlinkMegabytes(result).toFixed(1),
  ];
  const { bytesUs, fixedUs } = partsInDomain(runs);
  return {
    title: "72 GPUs in one NVLink domain",
    setting:
      "Low-latency dispatch and combine of 128 tokens, 256 experts and 32 redundant ones, 4 on each GPU. MB are those of a " +
      "GPU, both phases. Kernels on GB200 are priced with the constants of H800: no figure of theirs is published.",
    head: ["cluster", "dispatch, µs", "combine, µs", "both, last rank, µs", "network, MB", "NVLink, MB"],
    rows: [
      row("nine nodes of eight H800, InfiniBand", runs.nodes),
      row("72 GB200, one NVLink domain", runs.domain),
    ],
    finding:
      `The nine nodes take ${domainFactor(runs).toFixed(1)} times as long. Eight of nine rows leave their node through a NIC of ` +
      "50 GB/s; in the domain every row takes a link of 720 GB/s. There the bytes of both phases take " +
      `${bytesUs.toFixed(0)} µs and the kernels' fixed times ${fixedUs.toFixed(0)} µs: faster links would gain little more.`,
    commands: [runs.nodes.command, runs.domain.command],
  };
}
