// Which ranks and steps the trace files show. Only exports are reduced, never the recording, its digest or the overlap.
// What has a rank or a step is exported when those that it has are selected; what would lead to anything else, as a
// link or an arrow, is left out with it. Depends on the recording and on what was asked for alone.

import { inputError } from "@windtunnel/base";
import { type GpuProcess, gpusOf, type Recording, schedulersOf } from "./recording-reader.ts";

/** Numbers of ranks or steps, or all there are. */
export type NumberSelection = "all" | ReadonlySet<number>;

export interface TraceSelection {
  readonly ranks: NumberSelection;
  readonly steps: NumberSelection;
}

export const EVERYTHING: TraceSelection = { ranks: "all", steps: "all" };

export function isSelected(selection: NumberSelection, number: number): boolean {
  return selection === "all" || selection.has(number);
}

/** Keeps a range with a zero too many from filling the memory. */
const LARGEST_NUMBER = 99_999;

/**
 * "all", or numbers and ranges with commas between them: "0-3,8" is 0, 1, 2, 3 and 8.
 * `name` is what the user calls the text, such as "--trace-ranks"; anything else is an input error that repeats it.
 */
export function parseSelection(text: string, name: string): NumberSelection {
  if (text.trim() === "all") return "all";
  const numbers = new Set<number>();
  for (const part of text.split(",").map((each) => each.trim())) {
    const [first, last] = rangeOf(part);
    if (first === undefined || last === undefined || first > last || last > LARGEST_NUMBER) {
      const whole = part === text.trim() ? "" : ` in "${text}"`;
      throw inputError(`${name} can't be read: "${part}"${whole}`, {
        path: name,
        found: part,
        allowed: `all, or numbers and rising ranges up to ${LARGEST_NUMBER}, with commas: 0-3,8`,
      });
    }
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return numbers;
}

function rangeOf(part: string): [number, number] | [] {
  const match = /^(?<first>\d+)(?:\s*-\s*(?<last>\d+))?$/.exec(part)?.groups;
  if (match === undefined) return [];
  return [Number(match["first"]), Number(match["last"] ?? match["first"])];
}

/** Refuses ranks that a cluster does not have; called before it runs. */
export function checkSelectedRanks(ranks: NumberSelection, rankCount: number, name: string): void {
  if (ranks === "all") return;
  const missing = [...ranks].filter((rank) => rank >= rankCount);
  if (missing.length === 0) return;
  throw inputError(`${name} names ${rangesText(missing)}, which this cluster does not have`, {
    path: name,
    found: rangesText(missing),
    allowed: `0 to ${rankCount - 1}, or all`,
  });
}

/** A step of a run as its scheduler recorded it. */
export interface KnownStep {
  readonly step: number;
  readonly kind: "prefill" | "decode";
  readonly start: number;
  readonly end: number;
}

/** The steps of a run in their order; where no scheduler recorded any, from the first rank's start to the last one's end. */
export function stepsOf(recording: Recording): KnownStep[] {
  const steps = new Map<number, { step: number; kind: "prefill" | "decode"; start: number; end: number }>();
  const read = (process: number, type: "step" | "rankStep"): void => {
    for (const record of recording.records(process)) {
      if (record.type !== type) continue;
      const { step, kind, start, end } = record;
      const known = steps.get(step) ?? { step, kind, start, end };
      steps.set(step, known);
      known.start = Math.min(known.start, start);
      known.end = Math.max(known.end, end);
    }
  };
  for (const { id } of schedulersOf(recording.header)) read(id, "step");
  if (steps.size === 0) for (const { id } of gpusOf(recording.header)) read(id, "rankStep");
  return [...steps.values()].sort((a, b) => a.step - b.step);
}

/** Records of GPUs that trace files show without being asked: measured: some 100 MB in Perfetto's format. */
const RECORD_LIMIT = 220_000;
const NODES_OF_LARGE_RUNS = 2;

export interface TraceOptions {
  /** What the user asked for; absent: everything where the run is small. */
  readonly ranks?: NumberSelection;
  readonly steps?: NumberSelection;
}

export interface ChosenSelection {
  readonly selection: TraceSelection;
  /** What the user should know, in sentences: what was left out unasked, and what was asked for and isn't there. */
  readonly notes: readonly string[];
}

/**
 * What was asked for. Where that is more than some 100 MB, what was not asked for shrinks: ranks to those of the
 * first two nodes, steps to the first and the last of each kind.
 */
export function chooseSelection(recording: Recording, asked: TraceOptions): ChosenSelection {
  const gpus = gpusOf(recording.header);
  const steps = stepsOf(recording);
  const selection: TraceSelection = { ranks: asked.ranks ?? "all", steps: asked.steps ?? "all" };
  const missing = missingStepsNote(selection.steps, steps);
  const notes = missing === undefined ? [] : [missing];
  const unbounded = asked.ranks === undefined || asked.steps === undefined;
  if (!unbounded || recordsOf(recording, gpus, steps, selection) <= RECORD_LIMIT) return { selection, notes };
  const reduced: TraceSelection = {
    ranks: asked.ranks ?? ranksOfFirstNodes(gpus),
    steps: asked.steps ?? outermostSteps(steps),
  };
  const note = reductionNote(gpus, steps, selection, reduced);
  return { selection: reduced, notes: note === undefined ? notes : [...notes, note] };
}

/** About how many records of GPUs a selection shows: steps count alike, and arrows from ranks that are left out too. */
function recordsOf(
  recording: Recording,
  gpus: readonly GpuProcess[],
  steps: readonly KnownStep[],
  selection: TraceSelection,
): number {
  let records = 0;
  for (const { id, rank } of gpus) {
    if (isSelected(selection.ranks, rank)) records += recording.recordCount(id);
  }
  const shown = steps.filter(({ step }) => isSelected(selection.steps, step)).length;
  return steps.length === 0 ? records : (records * shown) / steps.length;
}

function ranksOfFirstNodes(gpus: readonly GpuProcess[]): ReadonlySet<number> {
  const nodes = [...new Set(gpus.map(({ node }) => node))].sort((a, b) => a - b);
  const first = new Set(nodes.slice(0, NODES_OF_LARGE_RUNS));
  return new Set(gpus.filter(({ node }) => first.has(node)).map(({ rank }) => rank));
}

function outermostSteps(steps: readonly KnownStep[]): ReadonlySet<number> {
  const outermost = (["prefill", "decode"] as const).flatMap((kind) => {
    const ofKind = steps.filter((step) => step.kind === kind);
    return [...ofKind.slice(0, 1), ...ofKind.slice(-1)];
  });
  return new Set(outermost.map(({ step }) => step));
}

function missingStepsNote(selected: NumberSelection, steps: readonly KnownStep[]): string | undefined {
  if (selected === "all") return undefined;
  const known = new Set(steps.map(({ step }) => step));
  const missing = [...selected].filter((step) => !known.has(step));
  if (missing.length === 0) return undefined;
  return `there is no step ${rangesText(missing)} for the traces to show; this run has ${rangesText([...known])}`;
}

/** Says it in one line; undefined where nothing is left out after all. */
function reductionNote(
  gpus: readonly GpuProcess[],
  steps: readonly KnownStep[],
  whole: TraceSelection,
  reduced: TraceSelection,
): string | undefined {
  const parts: string[] = [];
  const options: string[] = [];
  const compare = (dimension: keyof TraceSelection, numbers: readonly number[]): void => {
    const before = numbers.filter((number) => isSelected(whole[dimension], number));
    const after = before.filter((number) => isSelected(reduced[dimension], number));
    if (after.length === before.length) return;
    parts.push(`${dimension} ${rangesText(after)} of ${before.length}`);
    options.push(`--trace-${dimension} all`);
  };
  compare(
    "ranks",
    gpus.map(({ rank }) => rank),
  );
  compare(
    "steps",
    steps.map(({ step }) => step),
  );
  if (parts.length === 0) return undefined;
  return `the traces show ${parts.join(" and ")}, since all would be large; ${options.join(" ")} shows all`;
}

/** 0, 1, 2 and 8 as "0-2,8", as `parseSelection` reads it. */
function rangesText(numbers: Iterable<number>): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    const first = sorted[i]!;
    let last = first;
    for (i += 1; sorted[i] === last + 1; i++) last += 1;
    parts.push(first === last ? String(first) : `${first}-${last}`);
  }
  return parts.join(",");
}
