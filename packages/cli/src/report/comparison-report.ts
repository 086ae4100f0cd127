// Two runs of one workload side by side: without and with overlap.

import type { Scenario, Summary } from "@windtunnel/cluster";
import { expertParameterCount, type ModelConfig } from "@windtunnel/model";
import type { Colours } from "../screen.ts";
import { formatBytes, formatFraction, formatMicroseconds, formatNumber } from "./format.ts";
import { mean } from "./summary-report.ts";
import { renderSection } from "./table.ts";

export function renderComparison(sequential: Summary, fiveStage: Summary, colours: Colours): string {
  return `${renderStepTimes(sequential, fiveStage, colours)}\n\n${renderHiding(sequential, fiveStage, colours)}`;
}

/** Why overlap paid, or did not, with this run's numbers. */
export function explainOverlap(
  scenario: Scenario,
  timed: ModelConfig,
  sequential: Summary,
  fiveStage: Summary,
): string {
  const degree = scenario.parallelism.expertParallel;
  const expertsHere = timed.expertCount / degree;
  const expertBytes = expertParameterCount(timed); // one byte each in FP8
  const requests = requestsPerGpu(scenario, sequential);
  const tokensPerExpert = (requests * degree * timed.expertsPerToken) / timed.expertCount;
  const [before, after] = [sequential, fiveStage].map(meanDecodeLayer) as [number, number];
  const outcome = after < before ? "overlap pays" : "overlap loses";
  return (
    `Why so many requests: five-stage splits each GPU's batch into two micro-batches, and each of them reads the ` +
    `weights of the GPU's ${formatNumber(expertsHere)} experts again, ` +
    `${formatNumber(expertsHere)} x ${formatBytes(expertBytes)} = ${formatBytes(expertsHere * expertBytes)} ` +
    `for each MoE layer, however few tokens it has. At this degree (${degree} GPUs share the experts) overlapping ` +
    `loses with few requests for each GPU. Here it is ${formatNumber(requests)}, on ` +
    `average ${formatNumber(tokensPerExpert)} tokens for an expert and ${formatNumber(tokensPerExpert / 2)} in each half, ` +
    `and ${outcome}: an MoE layer of decode takes ${formatMicroseconds(after)} instead of ${formatMicroseconds(before)}.`
  );
}

function renderStepTimes(sequential: Summary, fiveStage: Summary, colours: Colours): string {
  const rows = sequential.virtual.steps.map((step, i) => {
    const other = fiveStage.virtual.steps[i];
    return [
      `${i + 1} ${step.kind}`,
      formatMicroseconds(step.us),
      other === undefined ? "–" : formatMicroseconds(other.us),
      other === undefined ? "–" : `${(step.us / other.us).toFixed(2)} x`,
      formatMicroseconds(step.layerUs),
      other === undefined ? "–" : formatMicroseconds(other.layerUs),
    ];
  });
  return renderSection(
    "Steps, in virtual time",
    {
      head: ["step", "sequential", "five-stage", "speed", "MoE layer", "five-stage"],
      aligns: ["left", "right", "right", "right", "right", "right"],
      rows,
    },
    colours,
  );
}

function renderHiding(sequential: Summary, fiveStage: Summary, colours: Colours): string {
  const [before, after] = [sequential, fiveStage].map(
    (summary) => summary.communicationByStepKind.decode ?? summary.communication,
  ) as [Summary["communication"], Summary["communication"]];
  const time = (label: string, key: "totalUs" | "hiddenUs" | "exposedUs" | "waitUs"): string[] => [
    label,
    formatMicroseconds(before[key]),
    formatMicroseconds(after[key]),
  ];
  return renderSection(
    "Communication in decode, mean over GPUs",
    {
      head: ["", "sequential", "five-stage"],
      aligns: ["left", "right", "right"],
      rows: [
        time("in the network", "totalUs"),
        time("hidden under compute", "hiddenUs"),
        time("exposed", "exposedUs"),
        ["hidden part", formatFraction(before.hiddenFraction), formatFraction(after.hiddenFraction)],
        time("waiting for others", "waitUs"),
      ],
    },
    colours,
  );
}

function requestsPerGpu(scenario: Scenario, summary: Summary): number {
  if ("drawn" in scenario.workload) return scenario.workload.drawn.requestsPerGpu;
  return summary.outputs.length / (scenario.cluster.nodes * scenario.cluster.gpusPerNode);
}

function meanDecodeLayer(summary: Summary): number {
  return mean(summary.virtual.steps.filter((step) => step.kind === "decode").map((step) => step.layerUs));
}
