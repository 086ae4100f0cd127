// A record in words, for whoever compares two of them: what it is, its times to the picosecond, and why it began.
// Links are named by the function that is passed in. Nothing here interprets what a record means for a run.

import type { AnyRecord, RecordedMessage, RecordedSpan } from "./record-layout.ts";
import type { Cause, Place } from "./records.ts";

export type NameOfLink = (process: number, link: number) => string;

/** One sentence without a full stop, such as `span gate of step 0, layer 3, micro-batch 0 on compute: …`. */
export function recordInWords(record: AnyRecord, nameOfLink: NameOfLink, process: number): string {
  switch (record.type) {
    case "span":
      return spanInWords(record);
    case "message":
      return messageInWords(record, nameOfLink);
    case "hop":
      return (
        `message from rank ${record.source} to ${record.target} (exchange ${record.exchange}) on link ` +
        `"${nameOfLink(process, record.link)}": head there at ${exact(record.headAt)}, ` +
        `carried ${period(record.startAt, record.endAt)}`
      );
    case "rankStep":
    case "step":
      return (
        `${record.type === "step" ? "the whole" : "the rank's part in"} ${record.kind} step ${record.step}: ` +
        `${period(record.start, record.end)}, ${record.requests} requests, ${record.tokens} tokens`
      );
    case "requestStep":
      return (
        `request ${record.request} of rank ${record.rank} in ${record.kind} step ${record.step}: ` +
        `${period(record.start, record.end)}, ${record.newTokens} new tokens`
      );
    default:
      return (
        `request ${record.request} of rank ${record.rank}: ${record.promptTokens} prompt tokens and ` +
        `${record.newTokens} new ones, there at ${exact(record.arrivedAt)}, begun at ${exact(record.startedAt)}, ` +
        `first token at ${exact(record.firstTokenAt)}, done at ${exact(record.finishedAt)}`
      );
  }
}

/** Microseconds with all six decimals, so that a picosecond shows. */
export function exact(picoseconds: number): string {
  return `${(picoseconds / 1e6).toFixed(6)} µs`;
}

function period(start: number, end: number): string {
  return `${exact(start)} to ${exact(end)} (${exact(end - start)})`;
}

/** Levels that do not apply are left out. */
function placeInWords({ step, layer, microBatch }: Place): string {
  const parts = [`step ${step}`];
  if (layer >= 0) parts.push(`layer ${layer}`);
  if (microBatch >= 0) parts.push(`micro-batch ${microBatch}`);
  return parts.join(", ");
}

function spanInWords(span: RecordedSpan): string {
  const parts = [
    `span ${span.name} of ${placeInWords(span)} on ${span.stream}: ${period(span.start, span.end)}`,
    ...(span.sms > 0 ? [`${span.sms} SMs`] : []),
    ...(span.rows > 0 ? [`${span.rows} rows`] : []),
    ...(span.held > 0 ? [`held up by buffers for ${exact(span.held)}`] : []),
    `started ${causeInWords(span.cause)}`,
  ];
  return parts.join(", ");
}

function causeInWords(cause: Cause): string {
  switch (cause.kind) {
    case "stream":
      return "when its stream was free";
    case "launch":
      return "when the host had launched it";
    case "message":
      return `when the last message arrived, from rank ${cause.rank}`;
    case "event":
      return `when span ${cause.span} was complete`;
    case "buffer":
      return `when buffers were free, after span ${cause.span}`;
    default:
      return "when the plan for the step arrived";
  }
}

function messageInWords(message: RecordedMessage, nameOfLink: NameOfLink): string {
  const { phase, source, sentAt, arrivedAt, queued, relayed } = message;
  const parts = [
    `${phase} message from rank ${source} of ${placeInWords(message)}: ${message.bytes} bytes`,
    `sent at ${exact(sentAt)}`,
    `arrived at ${exact(arrivedAt)} (${exact(arrivedAt - sentAt)})`,
    ...(queued > 0 ? [`${exact(queued)} of it in queues, ${exact(message.portQueued)} at its port`] : []),
    ...(relayed > 0 ? [`${exact(relayed)} behind a relay`] : []),
    `slowest link "${nameOfLink(message.slowestProcess, message.slowestLink)}"`,
    `limiting link "${nameOfLink(message.limitingProcess, message.limitingLink)}"`,
  ];
  return parts.join(", ");
}
