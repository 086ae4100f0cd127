// What `windtunnel analyze` says of a run: where a step's time went, what is probably wrong, what was hidden and exposed,
// who waited for whom, and the critical path. Numbers come from the recording alone.

import type { PathPieceAnalysis, RunAnalysis, RunOverlap, StepCause, Suspect } from "@windtunnel/trace";
import { STEP_CAUSES } from "@windtunnel/trace";
import type { Colours } from "../screen.ts";
import { CAUSE_LABELS } from "./cause-labels.ts";
import { formatFraction, formatMicroseconds } from "./format.ts";
import { renderSection, SCREEN_WIDTH, shorten, type TableContent, wrap } from "./table.ts";

const KINDS = ["prefill", "decode"] as const;
const MOST_ROWS = 8;
const MOST_FINDINGS = 3;
/** A number and a time take the rest of 80. */
const SUSPECT_WIDTH = 62;
const NARROWEST_LINK = 20;
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
    renderCommunication(overlap, analysis, colours),
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
    return `${colours.cyan("Suspects")}\n  None: no GPU, link, expert, route or wait stands out.`;
  }
  const rows = suspects
    .slice(0, MOST_ROWS)
    .map((suspect, index) => [
      `${index + 1}`,
      wrap(describeSuspect(suspect), SUSPECT_WIDTH, "  "),
      formatMicroseconds(suspect.costUs),
    ]);
  return renderSection(
    "Suspects, from the recording alone; what each adds to a step, at most about",
    { aligns: ["right", "left", "right"], rows },
    colours,
  );
}

/** Sums of a run, or of its steps of a kind. */
interface CommunicationTimes {
  readonly totalUs: number;
  readonly hiddenUs: number;
  readonly exposedUs: number;
  readonly exposedWaitUs: number;
}

function renderCommunication(
  { byStepKind, byExchange }: RunOverlap,
  { byKind }: RunAnalysis,
  colours: Colours,
): string {
  const rows: string[][] = [];
  for (const kind of KINDS) {
    const whole = byStepKind[kind];
    if (whole === undefined) continue;
    const steps = byKind[kind]?.steps ?? 1;
    rows.push([kind, ...communicationCells([whole], steps)]);
    for (const phase of ["dispatch", "combine"] as const) {
      for (const microBatch of [0, 1]) {
        const parts = byExchange.filter(
          (each) => each.kind === kind && each.phase === phase && each.microBatch === microBatch,
        );
        if (parts.length === 0) continue;
        const times = parts.map(({ communication }) => communication);
        rows.push([`  ${phase}, half ${microBatch}`, ...communicationCells(times, steps)]);
      }
    }
  }
  return renderSection(
    "Communication of a step, mean over GPUs; half: micro-batch",
    {
      head: ["", "total", "hidden", "exposed", "hidden part", "exposed wait"],
      aligns: ["left", "right", "right", "right", "right", "right"],
      rows,
    },
    colours,
  );
}

/** The parts together, by step. */
function communicationCells(parts: readonly CommunicationTimes[], steps: number): string[] {
  const ofStep = (field: keyof CommunicationTimes): number =>
    parts.reduce((sum, part) => sum + part[field], 0) / steps;
  const [totalUs, hiddenUs] = [ofStep("totalUs"), ofStep("hiddenUs")];
  return [
    formatMicroseconds(totalUs),
    formatMicroseconds(hiddenUs),
    formatMicroseconds(ofStep("exposedUs")),
    formatFraction(totalUs === 0 ? null : hiddenUs / totalUs),
    formatMicroseconds(ofStep("exposedWaitUs")),
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
        column: `Messages of rank ${source} arrive late everywhere: a slow rank.`,
        row: `Rank ${receiver} gets messages latest after its own send: early, or a slow receiver.`,
        point: `Rank ${receiver} gets rank ${source}'s messages late: a slow path.`,
      }[kind];
      const times = `${formatMicroseconds(meanUs)}, mean of all ${formatMicroseconds(overallUs)}`;
      return `  ${wrap(`${what} ${times}`, SCREEN_WIDTH - 2, "  ").replaceAll("\n", "\n  ")}`;
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
  const cells = (name: string, { us, count: times }: { us: number; count: number }): string[] => [
    name,
    `${times}`,
    formatMicroseconds(us),
    formatFraction(us / total),
  ];
  const sorted = [...sums].sort(([, a], [, b]) => b.us - a.us);
  const rows = sorted.slice(0, MOST_ROWS).map(([name, sum]) => cells(name, sum));
  const rest = sorted.slice(MOST_ROWS).map(([, sum]) => sum);
  if (rest.length > 0) {
    const sumOf = (of: "us" | "count"): number => rest.reduce((whole, each) => whole + each[of], 0);
    rows.push(cells(`and ${rest.length} more`, { us: sumOf("us"), count: sumOf("count") }));
  }
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

/** The path piece by piece, for `--path`; names of links are whole where the screen is wide enough. */
export function renderPathPieces(
  { criticalPath }: RunAnalysis,
  { width, colours }: { readonly width: number; readonly colours: Colours },
): string {
  const head = ["at", "for", "rank", "layer", "half", "what", "then, or over"];
  const pieces = criticalPath.pieces.map((piece) => [
    formatMicroseconds(piece.fromUs),
    formatMicroseconds(piece.us),
    `${piece.rank}`,
    piece.layer < 0 ? "–" : `${piece.layer}`,
    piece.microBatch < 0 ? "–" : `${piece.microBatch}`,
    piece.source === undefined ? nameOf(piece) : `${piece.what} from ${piece.source}`,
    piece.link ?? piece.edge,
  ]);
  const last = head.length - 1;
  const widestOf = (column: number): number =>
    pieces.reduce((most, cells) => Math.max(most, cells[column]!.length), head[column]!.length);
  // Two characters before each column.
  const taken = head.slice(0, last).reduce((sum, _, column) => sum + 2 + widestOf(column), 2);
  const rows = pieces.map((cells) => [
    ...cells.slice(0, last),
    shorten(cells[last]!, Math.max(NARROWEST_LINK, width - taken)),
  ]);
  return renderSection(
    `Critical path of step ${criticalPath.step}, piece by piece`,
    { head, aligns: ["right", "right", "right", "right", "right", "left", "left"], rows },
    colours,
  );
}
