// A measured all-to-all as `--json` prints it: numbers at the top, so that they are easily taken out; then the parts of the
// fabric; then all options with their defaults, named and written as on the command line.

import type { AllToAllOptions, AllToAllResult, LinkGroupLoad } from "@windtunnel/cluster";

export function resultJson(result: AllToAllResult): Record<string, unknown> {
  const { options, pattern, dispatch, combine, preparationUs, rowsPerRank, tokensPerRank, loads } = result;
  return {
    pattern,
    ranks: options.ranks,
    dispatchUs: toPicosecond(dispatch.us),
    dispatchMaxUs: dispatch.maxUs,
    combineUs: toPicosecond(combine.us),
    combineMaxUs: combine.maxUs,
    preparationUs: toPicosecond(preparationUs),
    dispatchLogicalGBps: dispatch.logicalGBps,
    combineLogicalGBps: combine.logicalGBps,
    dispatchLogicalBytes: dispatch.logicalBytes,
    combineLogicalBytes: combine.logicalBytes,
    dispatchNvlinkBytes: dispatch.nvlinkBytes,
    combineNvlinkBytes: combine.nvlinkBytes,
    dispatchRdmaBytes: dispatch.rdmaBytes,
    combineRdmaBytes: combine.rdmaBytes,
    nvlinkBytes: dispatch.nvlinkBytes + combine.nvlinkBytes,
    rdmaBytes: dispatch.rdmaBytes + combine.rdmaBytes,
    dispatchMessages: dispatch.messages,
    combineMessages: combine.messages,
    messages: dispatch.messages + combine.messages,
    tokensPerRankMean: tokensPerRank.mean,
    tokensPerRankMax: tokensPerRank.max,
    rowsPerRankMean: rowsPerRank.mean,
    rowsPerRankMax: rowsPerRank.max,
    ranksPerToken: result.ranksPerToken,
    nodesPerToken: result.nodesPerToken,
    peakQueueBytes: loads.reduce((most, { peakQueueBytes }) => Math.max(most, peakQueueBytes), 0),
    events: result.events,
    nvlink: loadsOf(loads, "nvlink"),
    pcie: loadsOf(loads, "pcie"),
    planes: loadsOf(loads, "plane"),
    leaves: loadsOf(loads, "leaf"),
    spines: loadsOf(loads, "spine"),
    options: optionsJson(options),
  };
}

/** Means of times have no finer digits than times. */
function toPicosecond(us: number): number {
  return Math.round(us * 1e6) / 1e6;
}

function loadsOf(loads: readonly LinkGroupLoad[], wanted: LinkGroupLoad["kind"]): object[] {
  return loads
    .filter(({ kind }) => kind === wanted)
    .map(({ name, bytes, peakQueueBytes }) => ({ name, bytes, peakQueueBytes }));
}

function optionsJson({ fabric, gate, exponent, nvlink, ...same }: AllToAllOptions): Record<string, unknown> {
  const { kind, spinesPerPlane, pcie, ...ofFabric } = fabric;
  const switches =
    kind === "nvlink-domain" ? {} : { ...ofFabric, spines: spinesPerPlane, pcie: onOrOff(pcie) };
  return {
    ...same,
    gate: gate === "zipf" ? `zipf:${exponent}` : gate,
    nvlink: onOrOff(nvlink),
    fabric: kind,
    ...switches,
  };
}

function onOrOff(flag: unknown): string {
  return flag === true ? "on" : "off";
}
