// The door to OpenTelemetry: a recording's traces to a file, and over the network where the standard variables ask
// for it. The SDK is loaded only when something is exported, so that hosts which only record don't pay for it.

import type { Recording } from "./recording-reader.ts";
import type { TraceSelection } from "./trace-selection.ts";

/** The operating system's variables, or a test's. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface OpenTelemetryOptions {
  /** Gets one ExportTraceServiceRequest of OTLP/JSON a line: the same bytes whatever the environment says. */
  readonly file: string;
  /**
   * Says whether and where to send. Headers, compression, timeouts and certificates are read by the standard exporter
   * itself, which looks at the process's environment.
   */
  readonly environment: Environment;
  /** Which ranks and steps; all when absent. */
  readonly selection?: TraceSelection;
}

export interface OpenTelemetryResult {
  /** Spans in the file: all that are selected. */
  readonly spans: number;
  /** Spans that a receiver acknowledged. */
  readonly sent: number;
  /** Why spans were not sent, in sentences. */
  readonly warnings: readonly string[];
}

/** Exports every selected span. A full disk is a WorldError of code "disk"; a receiver that fails is a warning. */
export async function exportOpenTelemetry(
  recording: Recording,
  options: OpenTelemetryOptions,
): Promise<OpenTelemetryResult> {
  const { exportThroughSdk } = await import("./otlp-export.ts");
  return exportThroughSdk(recording, options);
}
