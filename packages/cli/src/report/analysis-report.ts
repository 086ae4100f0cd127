// What `windtunnel analyze` says of a run: where a step's time went, what is probably wrong, what was hidden and exposed,
// who waited for whom, and the critical path. Numbers come from the recording alone.

import type { PathPieceAnalysis, RunAnalysis, RunOverlap, StepCause, Suspect } from "@windtunnel/trace";
import { STEP_CAUSES } from "@windtunnel/trace";
import type { Colours } from "../screen.ts";
import { CAUSE_LABELS } from "./cause-labels.ts";
import { formatFraction, formatMicroseconds } from "./format.ts";
import { renderSection, shorten, type TableContent, wrap } from "./table.ts";

const KINDS = ["prefill", "decode"] as const;
const MOST_ROWS = 8;
const MOST_FINDINGS = 3;
/** Of the run: what queues took less is not worth a line. */
const NOTABLE_QUEUE = 0.001;

export interface AnalysisReport {
  readonly analysis: RunAnalysis;
  readonly overlap: RunOverlap;
  readonly folder: string;
}

/** Sections with an empty line between them; pictures are added by the command. */
export function renderAnalysis({ analysis, overlap, folder }: AnalysisReport, colours: Colours): string {
  return [
    colours.bold(`${analysis.name}, ${folder}`),
    renderCauses(analysis, colours),
    renderSuspects(analysis.suspects, colours),
    renderCommunication(overlap, colours),
    ...renderQueues(analysis, colours),
    renderPath(analysis, colours),
  ].join("\n\n");
}

function renderCauses({ byKind, steps }: RunAnalysis, colours: Colours): string {
  const kinds = KINDS.filter((kind) => byKind[kind] !== undefined);
  const pathOf = (kind: "prefill" | "decode", cause: StepCause): number => {
    const ofKind = steps.filter((step) => step.kind === kind);
    return ofKind.reduce((sum, step) => sum + step.pathCausesUs[cause], 0) / ofKind.length;
  };
  const shown = STEP_CAUSES.filter((cause) =>
    kinds.some((kind) => byKind[kind]!.causesUs[cause] > 0 || pathOf(kind, cause) > 0),
  );
  const cells = (kind: "prefill" | "decode", cause: StepCause): string[] => {
    const { us, causesUs } = byKind[kind]!;
    return [
      formatMicroseconds(causesUs[cause]),
      formatFraction(us === 0 ? null : causesUs[cause] / us),
      formatFraction(us === 0 ? null : pathOf(kind, cause) / us),
    ];
  };
  const content: TableContent = {
    head: ["cause", ...kinds.flatMap((kind) => [kind, "share", "path"])],
    aligns: ["left", ...kinds.flatMap(() => ["right", "right", "right"] as const)],
    rows: [
      ...shown.map((cause) => [CAUSE_LABELS[cause], ...kinds.flatMap((kind) => cells(kind, cause))]),
      ["a step", ...kinds.flatMap((kind) => [formatMicroseconds(byKind[kind]!.us), "100.0 %", "100.0 %"])],
    ],
  };
  return renderSection(
    "Where a step's time goes, mean over GPUs; and on the critical path",
    content,
    colours,
  );
}

/** In words, with its factor. */
export function describeSuspect(suspect: Suspect): string {
  switch (suspect.kind) {
    case "slow-gpu":
      return `rank ${suspect.rank} computes ${factor(suspect)} times slower than the others`;
    case "loaded-experts":
      return `rank ${suspect.rank}: its experts get ${factor(suspect)} times the mean of rows`;
    case "slow-link":
      return `${suspect.link}: bytes take ${factor(suspect)} times as long as on others`;
    case "colliding-routes":
      return suspect.factor === null
        ? `${suspect.link}: messages queue here, and on no link like it`
        : `${suspect.link}: messages queue ${factor(suspect)} times as long as on others`;
    default:
      return `the schedule waits for the ${suspect.phase} of micro-batch ${suspect.microBatch} while the other could compute`;
  }
}

function factor({ factor: value }: Suspect): string {
  return value === null ? "many" : value.toFixed(2);
}

function renderSuspects(suspects: readonly Suspect[], colours: Colours): string {
  if (suspects.length === 0) {
    return `${colours.cyan("Suspects")}\n${wrap("  None: no GPU, link, expert, route or wait stands out.")}`;
  }
  const rows = suspects
    .slice(0, MOST_ROWS)
    .map((suspect, index) => [
      `${index + 1}`,
      shorten(describeSuspect(suspect), 62),
      formatMicroseconds(suspect.costUs),
    ]);
  return renderSection(
    "Suspects, from the recording alone; what each adds to its part of the run",
    { aligns: ["right", "left", "right"], rows },
    colours,
  );
}

function renderCommunication({ byStepKind, byExchange }: RunOverlap, colours: Colours): string {
  const rows: string[][] = [];
  for (const kind of KINDS) {
    const whole = byStepKind[kind];
    if (whole === undefined) continue;
    rows.push([kind, ...communicationCells(whole)]);
    for (const phase of ["dispatch", "combine"] as const) {
      for (const microBatch of [0, 1]) {
        const parts = byExchange.filter(
          (each) => each.kind === kind && each.phase === phase && each.microBatch === microBatch,
        );
        if (parts.length === 0) continue;
        const sum = (of: (part: (typeof parts)[number]["communication"]) => number): number =>
          parts.reduce((total, { communication }) => total + of(communication), 0);
        const [totalUs, hiddenUs] = [sum((each) => each.totalUs), sum((each) => each.hiddenUs)];
        rows.push([
          `  ${phase}, half ${microBatch}`,
          ...communicationCells({
            totalUs,
            hiddenUs,
            exposedUs: sum((each) => each.exposedUs),
            hiddenFraction: totalUs === 0 ? null : hiddenUs / totalUs,
            exposedWaitUs: sum((each) => each.exposedWaitUs),
          }),
        ]);
      }
    }
  }
  return renderSection(
    "Communication of the run, mean over GPUs, by micro-batch (half)",
    {
      head: ["", "total", "hidden", "exposed", "hidden part", "exposed wait"],
      aligns: ["left", "right", "right", "right", "right", "right"],
      rows,
    },
    colours,
  );
}

function communicationCells(communication: {
  readonly totalUs: number;
  readonly hiddenUs: number;
  readonly exposedUs: number;
  readonly hiddenFraction: number | null;
  readonly exposedWaitUs: number;
}): string[] {
  const { totalUs, hiddenUs, exposedUs, hiddenFraction, exposedWaitUs } = communication;
  return [
    formatMicroseconds(totalUs),
    formatMicroseconds(hiddenUs),
    formatMicroseconds(exposedUs),
    formatFraction(hiddenFraction),
    formatMicroseconds(exposedWaitUs),
  ];
}

function renderQueues({ queues, steps }: RunAnalysis, colours: Colours): string[] {
  const total = steps.reduce((sum, { us }) => sum + us, 0);
  const notable = queues.filter(({ us }) => us >= NOTABLE_QUEUE * total);
  if (notable.length === 0) return [];
  const rows = notable.slice(0, MOST_ROWS).map(({ link, us }) => [shorten(link, 60), formatMicroseconds(us)]);
  return [
    renderSection(
      "Links in whose queues messages held computing up, mean over GPUs",
      { aligns: ["left", "right"], rows },
      colours,
    ),
  ];
}

/** Columns, rows and points of the matrix of waits that stand out; empty where none does. */
export function renderFindings({ waits }: RunAnalysis): string {
  return waits.findings
    .slice(0, MOST_FINDINGS)
    .map(({ kind, receiver, source, meanUs, overallUs }) => {
      const what = {
        column: `All wait for rank ${source}: a slow rank.`,
        row: `Rank ${receiver} waits for all: a slow receiver.`,
        point: `Rank ${receiver} waits for rank ${source}: a slow path.`,
      }[kind];
      return `  ${what} ${formatMicroseconds(meanUs)}, over all ranks ${formatMicroseconds(overallUs)}`;
    })
    .join("\n");
}

/** What the path is made of, by operation; the pieces themselves are in --json and --path. */
function renderPath({ criticalPath, steps }: RunAnalysis, colours: Colours): string {
  const { step, pieces } = criticalPath;
  const total = pieces.reduce((sum, { us }) => sum + us, 0);
  const sums = new Map<string, { us: number; count: number }>();
  for (const piece of pieces) {
    const name = nameOf(piece);
    const sum = sums.get(name) ?? { us: 0, count: 0 };
    sums.set(name, { us: sum.us + piece.us, count: sum.count + 1 });
  }
  const crossings = pieces.filter(({ kind }) => kind === "flight").length;
  const ranks = new Set(pieces.map(({ rank }) => rank)).size;
  const rows = [...sums]
    .sort(([, a], [, b]) => b.us - a.us)
    .slice(0, MOST_ROWS)
    .map(([name, { us, count }]) => [name, `${count}`, formatMicroseconds(us), formatFraction(us / total)]);
  const kind = steps.find((each) => each.step === step)?.kind ?? "";
  return renderSection(
    `Critical path of step ${step} (${kind}): ${count(pieces.length, "piece")} on ${count(ranks, "rank")}, ${count(crossings, "message")}`,
    { head: ["piece", "times", "time", "share"], aligns: ["left", "right", "right", "right"], rows },
    colours,
  );
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function nameOf({ kind, what }: PathPieceAnalysis): string {
  switch (kind) {
    case "flight":
      return `${what} on its way`;
    case "launch":
      return "launching";
    case "idle":
      return "nothing";
    default:
      return what;
  }
}

/** The path piece by piece, for `--path`. */
export function renderPathPieces({ criticalPath }: RunAnalysis, colours: Colours): string {
  const rows = criticalPath.pieces.map((piece) => [
    formatMicroseconds(piece.fromUs),
    formatMicroseconds(piece.us),
    `${piece.rank}`,
    piece.layer < 0 ? "–" : `${piece.layer}`,
    piece.microBatch < 0 ? "–" : `${piece.microBatch}`,
    shorten(piece.source === undefined ? nameOf(piece) : `${nameOf(piece)} from ${piece.source}`, 26),
    piece.link === undefined ? piece.edge : shorten(piece.link, 24),
  ]);
  return renderSection(
    `Critical path of step ${criticalPath.step}, piece by piece`,
    {
      head: ["at", "for", "rank", "layer", "half", "what", "then, or over"],
      aligns: ["right", "right", "right", "right", "right", "left", "left"],
      rows,
    },
    colours,
  );
}
