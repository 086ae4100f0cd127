// How fast a run is recorded, merged, read, analysed and exported. Work first, seconds second.
// Run: node packages/trace/bench/trace.ts [steps]

import { rmSync, statSync } from "node:fs";
import path from "node:path";
import {
  exportOpenTelemetry,
  HostRecording,
  mergeRecordings,
  openRecording,
  overlapOfRun,
  writePerfetto,
} from "../src/index.ts";
import { headerOf, recordRandomRun, temporaryFolder } from "../src/test-recordings.ts";

const run = { seed: 1, ranks: 16, steps: Number(process.argv[2] ?? 40), layers: 20, microBatches: 2 };
const folder = temporaryFolder();
const report = (what: string, count: number, unit: string, start: number): void => {
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${what}: ${count} ${unit} in ${seconds.toFixed(2)} s, ${Math.round(count / seconds)} per second`,
  );
};
const megabytes = (file: string): string => (statSync(file).size / 1e6).toFixed(1);

const hostFile = path.join(folder, "host");
const host = new HostRecording(hostFile);
const spanStart = performance.now();
const direct = host.recorderFor(0);
const zero = 0 as Parameters<typeof direct.rankStep>[0]["start"];
const span = {
  name: "gate",
  stream: "compute",
  step: 0,
  layer: 1,
  microBatch: 0,
  start: zero,
  end: zero,
  sms: 1,
  rows: 1,
  held: 0,
  cause: { kind: "stream" },
} as const;
for (let i = 0; i < 2_000_000; i++) direct.span(span);
report("write spans", 2_000_000, "records", spanStart);
const hopStart = performance.now();
for (let i = 0; i < 2_000_000; i++) direct.hop(1, 2, 3, 4, i, i + 1, i + 2);
report("write hops", 2_000_000, "records", hopStart);
host.close();

const runHost = new HostRecording(hostFile);
recordRandomRun(run, (process) => runHost.recorderFor(process));
runHost.close();
const file = path.join(folder, "recording");
const mergeStart = performance.now();
mergeRecordings(headerOf(run), [hostFile], file);
const recording = openRecording(file);
const records = headerOf(run).processes.reduce((sum, { id }) => sum + recording.recordCount(id), 0);
report(`merge ${megabytes(file)} MB`, records, "records", mergeStart);
const readStart = performance.now();
let count = 0;
for (const { id } of headerOf(run).processes) for (const _ of recording.records(id)) count += 1;
report("read", count, "records", readStart);
const overlapStart = performance.now();
overlapOfRun(recording);
report("overlap", records, "records", overlapStart);
const perfettoStart = performance.now();
writePerfetto(recording, path.join(folder, "perfetto.json"));
report(`perfetto ${megabytes(path.join(folder, "perfetto.json"))} MB`, records, "records", perfettoStart);
const otlpStart = performance.now();
const otlpFile = path.join(folder, "trace.otlp.jsonl");
const { spans } = await exportOpenTelemetry(recording, { file: otlpFile, environment: {} });
report(`OpenTelemetry ${megabytes(otlpFile)} MB`, spans, "spans", otlpStart);
console.log(`peak resident set: ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`);
recording.close();
rmSync(folder, { recursive: true });
