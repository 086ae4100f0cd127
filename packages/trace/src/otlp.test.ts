import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Environment, exportOpenTelemetry, type OpenTelemetryResult } from "./otlp.ts";
import { destinationOf } from "./otlp-destination.ts";
import { openRecording } from "./recording-reader.ts";
import { SpanIds } from "./span-ids.ts";
import { type RandomRun, recordedRun, SMALL_RUN, temporaryFolder } from "./test-recordings.ts";

let folder = "";
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
});

interface OtlpAttribute {
  readonly key: string;
  readonly value: { readonly intValue?: number; readonly stringValue?: string };
}
interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly droppedAttributesCount: number;
  readonly droppedLinksCount: number;
}
interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

async function exported(
  environment: Environment,
  run: RandomRun = SMALL_RUN,
): Promise<{ text: string; requests: OtlpRequest[]; spans: OtlpSpan[]; result: OpenTelemetryResult }> {
  const recording = openRecording(recordedRun(run, { folder }).file);
  const file = path.join(folder, "trace.otlp.jsonl");
  const result = await exportOpenTelemetry(recording, { file, environment });
  recording.close();
  const text = readFileSync(file, "utf8");
  const requests = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as OtlpRequest);
  return { text, requests, spans: requests.flatMap(spansOf), result };
}

function spansOf(request: OtlpRequest): OtlpSpan[] {
  return request.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}

function expectNothingDangling(spans: readonly OtlpSpan[]): void {
  const known = new Set(spans.map(({ traceId, spanId }) => `${traceId} ${spanId}`));
  expect(known.size).toBe(spans.length);
  for (const { traceId, parentSpanId, links } of spans) {
    if (parentSpanId !== undefined) expect(known).toContain(`${traceId} ${parentSpanId}`);
    for (const link of links) expect(known).toContain(`${link.traceId} ${link.spanId}`);
  }
}

const attribute = (span: OtlpSpan, key: string): OtlpAttribute["value"] | undefined =>
  span.attributes.find((candidate) => candidate.key === key)?.value;

describe("exported spans", () => {
  test("have a parent in their trace unless they are its only root, and links that lead somewhere", async () => {
    const { spans, result } = await exported({});
    expect(result).toEqual({ spans: spans.length, sent: 0, warnings: [] });
    expectNothingDangling(spans);
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
    // A trace for each of 3 steps and 4 requests.
    expect(roots.map(({ name }) => name).toSorted()).toEqual([
      ...Array.from({ length: 4 }, () => "request"),
      ...Array.from({ length: 3 }, () => "step"),
    ]);
    expect(new Set(roots.map(({ traceId }) => traceId)).size).toBe(7);
    // Each request has a part in each step; the links lead both ways.
    const links = (name: string): number =>
      spans.filter((span) => span.name === name).reduce((sum, span) => sum + span.links.length, 0);
    expect([links("step"), links("prefill"), links("decode")]).toEqual([12, 4, 8]);
  });

  test("lie within their parents, at virtual time after the fixed epoch", async () => {
    const { spans, requests } = await exported({});
    const byId = new Map(spans.map((span) => [`${span.traceId} ${span.spanId}`, span]));
    const names = new Set<string>();
    for (const span of spans) {
      names.add(span.name);
      expect(span.droppedAttributesCount + span.droppedLinksCount).toBe(0);
      expect(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano)).toBe(true);
      // A fast sender's message may be in flight before its receiver begins the step, and so may be a layer.
      if (span.parentSpanId === undefined || span.name.startsWith("layer.")) continue;
      const parent = byId.get(`${span.traceId} ${span.parentSpanId}`)!;
      expect(BigInt(span.startTimeUnixNano) >= BigInt(parent.startTimeUnixNano)).toBe(true);
      expect(BigInt(span.endTimeUnixNano) <= BigInt(parent.endTimeUnixNano)).toBe(true);
    }
    expect([...names]).toEqual(
      expect.arrayContaining([
        "rank",
        "layer.moe",
        "layer.dense",
        "dispatch.transfer",
        "combine.transfer",
        "queue",
        "gate",
      ]),
    );
    // Step 0 begins at 1,000,001 ps, which is 1000 whole nanoseconds.
    const step = spans.find((span) => span.name === "step")!;
    expect(step.startTimeUnixNano).toBe("1735689600000001000");
    expect(requests[0]!.resourceSpans[0]!.resource.attributes.map(({ key }) => key)).toEqual([
      "service.name",
      "windtunnel.scenario",
      "windtunnel.seed",
      "windtunnel.timed_model",
      "windtunnel.gpu",
      "windtunnel.gpu.sms",
    ]);
    const transfer = spans.find(({ name }) => name === "dispatch.transfer")!;
    expect(attribute(transfer, "windtunnel.messages")?.intValue).toBe(3);
    expect(attribute(transfer, "windtunnel.limiting_link")?.stringValue).toMatch(/^plane [01] \/ /);
  });

  test("are the same bytes whatever the environment says", async () => {
    const plain = await exported({});
    vi.stubEnv("OTEL_TRACES_SAMPLER", "always_off");
    vi.stubEnv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1");
    vi.stubEnv("OTEL_SPAN_LINK_COUNT_LIMIT", "1");
    vi.stubEnv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1");
    vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "a=b");
    vi.stubEnv("OTEL_SERVICE_NAME", "other");
    vi.stubEnv("OTEL_SDK_DISABLED", "true");
    expect((await exported(process.env)).text).toBe(plain.text);
  });

  test("of another seed have other ids, of the same seed the same", async () => {
    const [a, again, b] = [
      await exported({}),
      await exported({}),
      await exported({}, { ...SMALL_RUN, seed: 2 }),
    ];
    expect(again.text).toBe(a.text);
    const ids = new Set(a.spans.map(({ spanId }) => spanId));
    expect(b.spans.some(({ spanId }) => ids.has(spanId))).toBe(false);
  });

  test("of some ranks and steps alone are exported when those are selected", async () => {
    const recording = openRecording(recordedRun(SMALL_RUN, { folder }).file);
    const file = path.join(folder, "some.jsonl");
    const selection = { ranks: new Set([1]), steps: new Set([2]) };
    const { spans } = await exportOpenTelemetry(recording, { file, environment: {}, selection });
    const nothing = { ranks: new Set<number>(), steps: new Set<number>() };
    const none = await exportOpenTelemetry(recording, {
      file: path.join(folder, "none.jsonl"),
      environment: {},
      selection: nothing,
    });
    recording.close();
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const some = lines.flatMap((line) => spansOf(JSON.parse(line) as OtlpRequest));
    expect(some.length).toBe(spans);
    expectNothingDangling(some);
    const roots = some.filter(({ parentSpanId }) => parentSpanId === undefined);
    expect(roots.map(({ name }) => name).toSorted()).toEqual(["request", "step"]);
    expect(none).toEqual({ spans: 0, sent: 0, warnings: [] });
  });

  test("of a run that ended early still have all parents", async () => {
    // Without a scheduler's records there are only the ranks' parts of steps.
    const recording = openRecording(recordedRun(SMALL_RUN, { folder }).file);
    const file = path.join(folder, "early.jsonl");
    const records = recording.records.bind(recording);
    const early = Object.assign(Object.create(recording) as typeof recording, {
      header: recording.header,
      *records(process: number) {
        for (const record of records(process)) {
          if (record.type === "request" || record.type === "step") continue;
          if (record.type === "rankStep" && record.step === 2) return;
          yield record;
        }
      },
    });
    await exportOpenTelemetry(early, { file, environment: {} });
    recording.close();
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const spans = lines.flatMap((line) => spansOf(JSON.parse(line) as OtlpRequest));
    expectNothingDangling(spans);
    expect(spans.filter(({ name }) => name === "step").length).toBe(3);
  });
});

describe("ids", () => {
  test("of 200,000 spans differ", () => {
    const ids = new SpanIds(1);
    const seen = new Set<string>();
    for (let process = 0; process < 20; process++) {
      for (let sequence = 0; sequence < 5000; sequence++) {
        seen.add(ids.span("span", process, sequence));
        seen.add(ids.span("layer", process, sequence & 255, sequence >>> 8));
      }
    }
    expect(seen.size).toBe(200_000);
    expect(ids.trace("step-trace", 3)).toMatch(/^[0-9a-f]{32}$/);
    expect(ids.span("span", 0, 2 ** 40)).not.toBe(ids.span("span", 0, 0));
  });
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** A receiver on a port that the system chooses; answers everything with `status`. */
async function received(
  status: number,
): Promise<{ bodies: Buffer[]; paths: string[]; server: Server; url: string }> {
  const bodies: Buffer[] = [];
  const paths: string[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      bodies.push(Buffer.concat(parts));
      paths.push(`${request.url} ${request.headers["content-type"]}`);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { bodies, paths, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

interface OfficialDefinitions {
  readonly opentelemetry: {
    readonly proto: {
      readonly collector: {
        readonly trace: {
          readonly v1: {
            readonly ExportTraceServiceRequest: {
              decode(bytes: Uint8Array): unknown;
              toObject(message: unknown, options: object): unknown;
            };
          };
        };
      };
    };
  };
}

describe("a receiver", () => {
  // Generated by OpenTelemetry from its own opentelemetry-proto; see package.json.
  const { opentelemetry } = createRequire(import.meta.url)(
    "otlp-definitions/build/src/generated/root.js",
  ) as OfficialDefinitions;
  const OTLP = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

  test("gets every span, parent, link and time that the file has", async () => {
    const { bodies, paths, server, url } = await received(200);
    const { spans, result, text } = await exported({ OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/base/` });
    server.close();
    expect(result).toEqual({ spans: spans.length, sent: spans.length, warnings: [] });
    expect(new Set(paths)).toEqual(new Set(["/base/v1/traces application/x-protobuf"]));
    interface Received {
      readonly resourceSpans: {
        scopeSpans: {
          spans: {
            traceId: Uint8Array;
            spanId: Uint8Array;
            parentSpanId: Uint8Array;
            name: string;
            startTimeUnixNano: string;
            endTimeUnixNano: string;
            links: { traceId: Uint8Array; spanId: Uint8Array }[];
          }[];
        }[];
      }[];
    }
    const arrived = bodies.flatMap((body) => {
      const request = OTLP.toObject(OTLP.decode(body), {
        longs: String,
        arrays: true,
        defaults: true,
      }) as Received;
      return request.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
    });
    const asText = arrived.map((span) => [
      hex(span.traceId),
      hex(span.spanId),
      hex(span.parentSpanId),
      span.name,
      span.startTimeUnixNano,
      span.endTimeUnixNano,
      ...span.links.map((link) => hex(link.spanId)),
    ]);
    expect(asText).toEqual(
      spans.map((span) => [
        span.traceId,
        span.spanId,
        span.parentSpanId ?? "",
        span.name,
        span.startTimeUnixNano,
        span.endTimeUnixNano,
        ...span.links.map((link) => link.spanId),
      ]),
    );
    expect((await exported({})).text).toBe(text);
  });

  test("that refuses is a warning, and the file is whole", async () => {
    const { server, url } = await received(400);
    const endpoint = `${url}/own`;
    const { spans, result } = await exported({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint });
    server.close();
    expect(result.spans).toBe(spans.length);
    expect(result.sent).toBe(0);
    expect(result.warnings).toEqual([
      expect.stringContaining(`${spans.length} of ${spans.length} spans were not sent`),
    ]);
    expect(result.warnings[0]).toContain(endpoint);
  });

  test("is chosen by the standard variables", () => {
    const base = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4318" };
    expect(destinationOf({})).toEqual({ kind: "none" });
    expect(destinationOf({ OTEL_EXPORTER_OTLP_ENDPOINT: " " })).toEqual({ kind: "none" });
    expect(destinationOf(base)).toEqual({ kind: "http", url: "http://a:4318/v1/traces" });
    expect(destinationOf({ ...base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://b/x" })).toEqual({
      kind: "http",
      url: "https://b/x",
    });
    expect(destinationOf({ ...base, OTEL_SDK_DISABLED: "true" })).toEqual({ kind: "none" });
    expect(destinationOf({ ...base, OTEL_TRACES_EXPORTER: "none" })).toEqual({ kind: "none" });
    expect(destinationOf({ ...base, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }).kind).toBe("refused");
    expect(destinationOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "a:4318" }).kind).toBe("refused");
  });
});
