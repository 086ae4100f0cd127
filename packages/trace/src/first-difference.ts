// The first record in which two recordings differ, in virtual time. A process writes its records in the order of its
// events, so its first difference is the first by sequence; of all processes' the one with the earliest instant is given.
// What comes later may follow from it; it follows from nothing that was recorded. Memory: a block of each recording.

import { exact, type NameOfLink, recordInWords } from "./record-words.ts";
import type { AnyRecord } from "./record-layout.ts";
import type { RecordedProcess, RecordingHeader } from "./records.ts";
import { linkNames, type Recording } from "./recording-reader.ts";

/** A logical process that both recordings have, by its id in each. */
export interface ProcessPair {
  readonly name: string;
  readonly kind: RecordedProcess["kind"];
  readonly before: number;
  readonly after: number;
}

export interface PairedProcesses {
  readonly pairs: readonly ProcessPair[];
  /** Names of processes that only one recording has. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
}

/** GPUs by rank, fabrics by name, schedulers in their order; ascending by id in the first recording. */
export function pairProcesses(before: RecordingHeader, after: RecordingHeader): PairedProcesses {
  const unpaired = new Map(identified(after).map(([identity, process]) => [identity, process]));
  const pairs: ProcessPair[] = [];
  const onlyBefore: string[] = [];
  for (const [identity, { id, name, kind }] of identified(before)) {
    const other = unpaired.get(identity);
    unpaired.delete(identity);
    if (other === undefined) onlyBefore.push(name);
    else pairs.push({ name, kind, before: id, after: other.id });
  }
  return { pairs, onlyBefore, onlyAfter: [...unpaired.values()].map(({ name }) => name) };
}

function identified({ processes }: RecordingHeader): (readonly [string, RecordedProcess])[] {
  let schedulers = 0;
  return processes
    .toSorted((a, b) => a.id - b.id)
    .map((process) => {
      if (process.kind === "gpu") return [`gpu ${process.rank}`, process] as const;
      if (process.kind === "fabric") return [`fabric ${process.name}`, process] as const;
      return [`scheduler ${schedulers++}`, process] as const;
    });
}

/** A record's version in one recording: as it lies there, and in words. */
export interface RecordVersion {
  readonly words: string;
  readonly record: AnyRecord;
}

/** A field that differs, in words. */
export interface FieldDifference {
  readonly field: string;
  readonly before: string;
  readonly after: string;
}

export interface FirstDifference {
  readonly process: string;
  readonly sequence: number;
  /** Of the earlier version, in picoseconds of virtual time. */
  readonly atPs: number;
  /** Null where the recording has no such record any more. */
  readonly before: RecordVersion | null;
  readonly after: RecordVersion | null;
  /** Empty where the versions are records of two types, or one is missing. */
  readonly fields: readonly FieldDifference[];
}

/** Undefined where all records of all paired processes are equal. */
export function firstDifference(
  before: Recording,
  after: Recording,
  pairs: readonly ProcessPair[],
): FirstDifference | undefined {
  const sides = { before: linkNames(before.header), after: linkNames(after.header) };
  let earliest: { at: number; pair: ProcessPair; versions: Versions } | undefined;
  for (const pair of pairs) {
    const versions = firstOfProcess(before.records(pair.before), after.records(pair.after), sides, pair);
    if (versions === undefined) continue;
    const at = Math.min(
      ...[versions.before, versions.after].map((each) => each && instantOf(each)).filter(isNumber),
    );
    if (earliest === undefined || at < earliest.at) earliest = { at, pair, versions };
  }
  if (earliest === undefined) return undefined;
  const { at, pair, versions } = earliest;
  const version = (
    record: AnyRecord | undefined,
    nameOf: NameOfLink,
    process: number,
  ): RecordVersion | null =>
    record === undefined ? null : { words: recordInWords(record, nameOf, process), record };
  return {
    process: pair.name,
    sequence: versions.sequence,
    atPs: at,
    before: version(versions.before, sides.before, pair.before),
    after: version(versions.after, sides.after, pair.after),
    fields: fieldsThatDiffer(versions, sides, pair),
  };
}

interface Versions {
  readonly sequence: number;
  readonly before: AnyRecord | undefined;
  readonly after: AnyRecord | undefined;
}

interface Sides {
  readonly before: NameOfLink;
  readonly after: NameOfLink;
}

function firstOfProcess(
  before: Iterable<AnyRecord>,
  after: Iterable<AnyRecord>,
  sides: Sides,
  pair: ProcessPair,
): Versions | undefined {
  const others = after[Symbol.iterator]();
  let sequence = 0;
  try {
    for (const record of before) {
      const { value, done } = others.next() as IteratorResult<AnyRecord, undefined>;
      const versions = { sequence, before: record, after: done === true ? undefined : value };
      if (!areEqual(versions, sides, pair)) return versions;
      sequence += 1;
    }
    const { value, done } = others.next() as IteratorResult<AnyRecord, undefined>;
    return done === true ? undefined : { sequence, before: undefined, after: value };
  } finally {
    others.return?.();
  }
}

/** When a record was written, as far as it says: what sums up is written at its end. */
function instantOf(record: AnyRecord): number {
  switch (record.type) {
    case "span":
      return record.start;
    case "message":
      return record.arrivedAt;
    case "hop":
      return record.headAt;
    case "request":
      return record.finishedAt;
    default:
      return record.end;
  }
}

/** Fields with a link's process; their links are compared by name, since numbers follow from the size of a cluster. */
const LINK_PROCESSES: Readonly<Record<string, string>> = {
  slowestProcess: "slowestLink",
  limitingProcess: "limitingLink",
};
const LINKS = new Map(Object.entries(LINK_PROCESSES).map(([process, link]) => [link, process]));

type Fields = Readonly<Record<string, unknown>>;

function areEqual(versions: Versions, sides: Sides, pair: ProcessPair): boolean {
  const { before, after } = versions;
  if (before === undefined || after === undefined || before.type !== after.type) return false;
  for (const field in before) {
    const a = (before as unknown as Fields)[field];
    if (a !== (after as unknown as Fields)[field] && typeof a !== "object")
      return fieldsThatDiffer(versions, sides, pair).length === 0;
  }
  return (
    before.type !== "span" || after.type !== "span" || causeText(before.cause) === causeText(after.cause)
  );
}

/** In the order of the record's layout. */
function fieldsThatDiffer({ before, after }: Versions, sides: Sides, pair: ProcessPair): FieldDifference[] {
  if (before === undefined || after === undefined || before.type !== after.type) return [];
  const [a, b]: readonly [Fields, Fields] = [{ ...before }, { ...after }];
  return Object.keys(a).flatMap((field) => {
    if (field in LINK_PROCESSES) return [];
    const texts = {
      before: fieldText(a, field, sides.before, pair.before),
      after: fieldText(b, field, sides.after, pair.after),
    };
    return texts.before === texts.after ? [] : [{ field, ...texts }];
  });
}

const TIMES: ReadonlySet<string> = new Set(
  "start end held sendStart sentAt arrivedAt queued portQueued relayed transfer headAt startAt endAt startedAt firstTokenAt finishedAt".split(
    " ",
  ),
);

function fieldText(record: Fields, field: string, nameOfLink: NameOfLink, process: number): string {
  const value = record[field];
  if (field === "link") return nameOfLink(process, value as number);
  const linkProcess = LINKS.get(field);
  if (linkProcess !== undefined) return nameOfLink(record[linkProcess] as number, value as number);
  if (field === "cause") return causeText(value as Fields);
  return TIMES.has(field) ? exact(value as number) : String(value);
}

/** `event 12`, `message 3`, `stream`. */
function causeText(cause: object): string {
  return Object.values(cause).join(" ");
}

function isNumber(value: number | undefined): value is number {
  return value !== undefined;
}
