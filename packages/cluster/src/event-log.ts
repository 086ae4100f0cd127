// Every event of a run as a line, for finding the first one that differs between two runs. Written host by host,
// in whatever order hosts handled them; compared in the total order.

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { comesBefore, type EventObserver, rankOfKey } from "@windtunnel/virtual-time";

/** time, kind, source, sequence, target, size */
type LoggedEvent = readonly [number, number, number, number, number, number];

const LINES_AT_ONCE = 4096;

export interface EventLog {
  readonly observer: EventObserver;
  close(): void;
}

export function createEventLog(file: string): EventLog {
  writeFileSync(file, "");
  let lines: string[] = [];
  const flush = (): void => {
    appendFileSync(file, lines.join(""));
    lines = [];
  };
  return {
    observer: ({ time, kind, source, sequence, target, size }) => {
      lines.push(`${JSON.stringify([time, kind, source, sequence, target, size])}\n`);
      if (lines.length === LINES_AT_ONCE) flush();
    },
    close: flush,
  };
}

/** The events of all hosts of a run, in the total order. */
export function readEventLogs(files: readonly string[]): LoggedEvent[] {
  const lines = files.flatMap((file) => readFileSync(file, "utf8").split("\n"));
  const events = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as LoggedEvent);
  const rank = ([, kind, source]: LoggedEvent): number => rankOfKey(kind, source);
  return events.toSorted((a, b) => {
    if (comesBefore(a[0], rank(a), a[3], b[0], rank(b), b[3])) return -1;
    return comesBefore(b[0], rank(b), b[3], a[0], rank(a), a[3]) ? 1 : 0;
  });
}

/** One line about the first event that two runs do not share; undefined when they share all. */
export function firstDifferingEvent(
  one: readonly LoggedEvent[],
  other: readonly LoggedEvent[],
): string | undefined {
  const count = Math.max(one.length, other.length);
  for (let index = 0; index < count; index++) {
    const [left, right] = [describe(one[index]), describe(other[index])];
    if (left !== right) return `event ${index}: ${left} in one run, ${right} in the other`;
  }
  return undefined;
}

function describe(event: LoggedEvent | undefined): string {
  if (event === undefined) return "nothing";
  const [time, kind, source, sequence, target, size] = event;
  return `kind ${kind} from process ${source} (sequence ${sequence}) to ${target} at ${time} ps with ${size} bytes`;
}
