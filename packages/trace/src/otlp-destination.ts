// Where the standard OTEL_* variables say that traces go. Pure: reads no environment by itself.

import type { Environment } from "./otlp.ts";

export type Destination =
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly warning: string }
  | { readonly kind: "http"; readonly url: string };

/** Traces are sent only where an endpoint is named; OTLP over HTTP with protobuf is what is spoken. */
export function destinationOf(environment: Environment): Destination {
  const own = textOf(environment, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const general = textOf(environment, "OTEL_EXPORTER_OTLP_ENDPOINT");
  const endpoint = own ?? general;
  if (endpoint === undefined) return { kind: "none" };
  if (textOf(environment, "OTEL_SDK_DISABLED")?.toLowerCase() === "true") return { kind: "none" };
  if (textOf(environment, "OTEL_TRACES_EXPORTER") === "none") return { kind: "none" };
  const protocol =
    textOf(environment, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") ??
    textOf(environment, "OTEL_EXPORTER_OTLP_PROTOCOL");
  if (protocol !== undefined && protocol !== "http/protobuf") {
    const warning = `spans were not sent: the OTLP protocol ${protocol} is not spoken here; choose http/protobuf`;
    return { kind: "refused", warning };
  }
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
    const warning = `spans were not sent: the OTLP endpoint ${endpoint} is no http:// or https:// address`;
    return { kind: "refused", warning };
  }
  // The general endpoint is a base, the traces' own is taken as it stands.
  return { kind: "http", url: own ?? `${endpoint.replace(/\/+$/, "")}/v1/traces` };
}

/** A variable that is set to nothing counts as not set. */
function textOf(environment: Environment, name: string): string | undefined {
  const text = environment[name]?.trim();
  return text === "" ? undefined : text;
}
