// What the recording says of the run as a whole: the processes by name, and the links of each fabric.

import type { RecordedProcess, RecordingHeader } from "@windtunnel/trace";
import { nvlinkTopology, planeName, planeTopology } from "./fabric.ts";
import type { PreparedRun } from "./prepare-run.ts";

export function recordingHeader(run: PreparedRun): RecordingHeader {
  const { numbers, scenario, profile, fabric } = run;
  const { gpusPerNode } = numbers;
  const gpus = Array.from({ length: numbers.rankCount }, (_, rank): RecordedProcess => {
    const node = numbers.nodeOfRank(rank);
    return { id: rank, kind: "gpu", name: `node ${node} · GPU ${rank % gpusPerNode}`, rank, node };
  });
  const domains = Array.from({ length: numbers.domainCount }, (_, domain): RecordedProcess => {
    const names = nvlinkTopology(run, domain).links.map((link) => link.name);
    const name = fabric.kind === "nvlink-domain" ? "NVLink" : `node ${domain} · NVLink`;
    return { id: numbers.nvlinkDomain(domain), kind: "fabric", name, wire: "nvlink", links: names };
  });
  const planes = Array.from({ length: numbers.planeCount }, (_, plane): RecordedProcess => {
    const names = planeTopology(run, plane).links.map((link) => link.name);
    const name = planeName(run, plane);
    return { id: numbers.plane(plane), kind: "fabric", name, wire: "nic", links: names };
  });
  const scheduler: RecordedProcess = { id: numbers.scheduler, kind: "scheduler", name: "scheduler" };
  return {
    schema: "windtunnel/recording@2",
    name: scenario.name,
    seed: scenario.seed,
    timedModel: run.timedName,
    gpu: profile.name,
    sms: profile.sms,
    processes: [...gpus, ...domains, ...planes, scheduler],
  };
}
