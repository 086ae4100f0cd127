// A receiver of OTLP over HTTP as the specification has it: POST to /v1/traces, protobuf, gzip where the request says so,
// an empty ExportTraceServiceResponse as the answer. Decodes with what OpenTelemetry itself generated from its
// opentelemetry-proto (the npm package behind `otlp-definitions`), and knows nothing of Windtunnel's spans.

import { createServer, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { onTestFinished } from "vitest";

/** Of a protobuf message as an object: 64-bit numbers as text, bytes as hexadecimal digits. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty at the root of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Method, path, type and encoding of each request. */
  readonly requests: readonly string[];
  /** Attributes of the resources that spans were of. */
  readonly resources: readonly Readonly<Record<string, string | number>>[];
}

/** Listens on a port that the system chooses until the test ends. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: string[] = [];
  const resources: Record<string, string | number>[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const { method, url, headers } = request;
      const { "content-type": type, "content-encoding": encoding = "identity" } = headers;
      requests.push(`${method} ${url} ${type} ${encoding}`);
      for (const { resource, scopeSpans } of decoded(encoding === "gzip" ? gunzipSync(body) : body)) {
        resources.push(attributesOf(resource.attributes));
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push(receivedSpan(span));
      }
      response.writeHead(200, { "content-type": "application/x-protobuf" });
      response.end(OTLP.ExportTraceServiceResponse.encode({}).finish());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, requests, resources };
}

interface MessageType {
  decode(bytes: Uint8Array): unknown;
  encode(message: object): { finish(): Uint8Array };
  toObject(message: unknown, options: object): unknown;
}

/** The generated module is CommonJS, and its types say nothing of what is in it. */
const { opentelemetry } = createRequire(import.meta.url)("otlp-definitions/build/src/generated/root.js") as {
  opentelemetry: {
    proto: {
      collector: {
        trace: { v1: { ExportTraceServiceRequest: MessageType; ExportTraceServiceResponse: MessageType } };
      };
    };
  };
};
const OTLP = opentelemetry.proto.collector.trace.v1;

interface DecodedAttribute {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: string;
    readonly doubleValue?: number;
  };
}

interface DecodedSpan {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly DecodedAttribute[];
  readonly links: readonly { readonly traceId: Uint8Array; readonly spanId: Uint8Array }[];
}

interface DecodedResource {
  readonly resource: { readonly attributes: readonly DecodedAttribute[] };
  readonly scopeSpans: readonly { readonly spans: readonly DecodedSpan[] }[];
}

function decoded(body: Uint8Array): readonly DecodedResource[] {
  const { ExportTraceServiceRequest } = OTLP;
  // Empty lists and bytes as such; of an attribute's value only the field that is set.
  const options = { longs: String, arrays: true };
  const message = ExportTraceServiceRequest.toObject(ExportTraceServiceRequest.decode(body), options);
  return (message as { resourceSpans: readonly DecodedResource[] }).resourceSpans;
}

function receivedSpan(span: DecodedSpan): ReceivedSpan {
  const { name, startTimeUnixNano, endTimeUnixNano } = span;
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId ?? []),
    name,
    startTimeUnixNano,
    endTimeUnixNano,
    attributes: attributesOf(span.attributes),
    links: span.links.map((link) => ({ traceId: hex(link.traceId), spanId: hex(link.spanId) })),
  };
}

function attributesOf(attributes: readonly DecodedAttribute[]): Record<string, string | number> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue } }) => [
      key,
      stringValue ?? doubleValue ?? Number(intValue),
    ]),
  );
}

function hex(bytes: Uint8Array | readonly number[]): string {
  return Buffer.from(bytes).toString("hex");
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
