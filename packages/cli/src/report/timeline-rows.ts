// The rows of a timeline: a rank's streams, and what is in flight to it, as cells of letters and colours. A letter says
// what runs, the number behind it the micro-batch, dashes that it is another layer's; so it reads without colours.

import {
  computes,
  differenceOf,
  type RecordedMessage,
  type RecordedSpan,
  type SpanName,
  STREAMS,
  unionOf,
} from "@windtunnel/trace";
import type { CellColour } from "./cell-colours.ts";
import { type CellGrid, coveredParts, type FilledCell, fillRow, type Mark } from "./timeline-cells.ts";
import { isOfLayers, type Layers, type RankTimeline } from "./timeline-window.ts";

/** Small letters send, capitals of the same letter receive. */
const LETTERS: Readonly<Record<SpanName, string>> = {
  embed: "E",
  "attention.project": "P",
  "attention.core": "A",
  gate: "G",
  "mlp.dense": "L",
  "mlp.shared": "S",
  "mlp.experts": "M",
  head: "H",
  "dispatch.layout": "l",
  "dispatch.notify": "n",
  "dispatch.send": "d",
  "dispatch.forward": "f",
  "dispatch.receive": "D",
  "combine.send": "c",
  "combine.forward": "F",
  "combine.receive": "C",
  "host.wait": "w",
};
/** Colours of a micro-batch. */
interface Family {
  /** Backgrounds of what computes, from the lightest to the strongest. */
  readonly shades: readonly [number, number, number];
  /** Background of kernels of exchanges. */
  readonly exchange: number;
  /** What has no background: bytes in flight, other layers. */
  readonly plain: number;
}

const FAMILIES: readonly Family[] = [
  { shades: [153, 75, 33], exchange: 19, plain: 33 },
  { shades: [223, 215, 208], exchange: 94, plain: 208 },
  { shades: [194, 114, 71], exchange: 22, plain: 71 },
  { shades: [225, 183, 134], exchange: 54, plain: 134 },
];
const SHADE_OF: Readonly<Partial<Record<SpanName, 0 | 1 | 2>>> = {
  "attention.core": 1,
  "mlp.dense": 2,
  "mlp.experts": 2,
};
export const EXPOSED: CellColour = { foreground: 196 };
const HOST: CellColour = { foreground: 231, background: 240 };
const [BLACK, WHITE] = [16, 231];

export const FULL = "█";
export const LIGHT = "░";
const OTHER_LAYER = "-";

/** A span or bytes in flight. */
export interface SpanMark extends Mark {
  readonly name: SpanName | "dispatch in flight" | "combine in flight";
  readonly letter: string;
  readonly microBatch: number;
  /** Of the layers that are shown, and not of a neighbour that ran meanwhile. */
  readonly isOwn: boolean;
  readonly colour: CellColour;
}

export interface View {
  readonly layers: Layers;
  readonly grid: CellGrid;
  /** Whether there are several micro-batches to tell apart. */
  readonly isNumbered: boolean;
}

export interface Row {
  readonly label: string;
  readonly cells: readonly { readonly text: string; readonly colour: CellColour | undefined }[];
  readonly shown: readonly SpanMark[];
  readonly unseen: readonly SpanMark[];
}

/** A row per stream in use, then one for what is in flight, of each micro-batch. */
export function rowsOf({ spans, messages }: RankTimeline, view: View): Row[] {
  const computing = unionOf(spans.filter(computes).flatMap((span) => [span.start, span.end]));
  const streams = STREAMS.flatMap((stream) => {
    const marks = spans.filter((span) => span.stream === stream).map((span) => markOf(span, view.layers));
    return marks.length === 0 ? [] : [streamRow(stream, marks, view)];
  });
  const microBatches = [...new Set(messages.map(({ microBatch }) => microBatch))].sort((a, b) => a - b);
  return [
    ...streams,
    ...microBatches.map((microBatch) => {
      const own = messages.filter((message) => message.microBatch === microBatch);
      const label = view.isNumbered && microBatch >= 0 ? `in flight ${microBatch}` : "in flight";
      return flightRow(label, own, computing, view);
    }),
  ];
}

function markOf(span: RecordedSpan, layers: Layers): SpanMark {
  const { name, microBatch, start, end } = span;
  const isOwn = isOfLayers(span, layers);
  return {
    key: `${name} ${microBatch} ${isOwn}`,
    start,
    end,
    name,
    letter: LETTERS[name],
    microBatch,
    isOwn,
    colour: spanColour(span, isOwn),
  };
}

/** One object for each colour, so that neighbours are painted together. */
const COLOURS = new Map<string, CellColour>();

function spanColour(span: RecordedSpan, isOwn: boolean): CellColour {
  const { name, microBatch } = span;
  const key = `${name} ${microBatch} ${isOwn}`;
  let colour = COLOURS.get(key);
  if (colour === undefined) {
    const family = familyOf(microBatch);
    if (!isOwn) colour = { foreground: family.plain };
    else if (name === "host.wait") colour = HOST;
    else if (computes(span)) colour = { foreground: BLACK, background: family.shades[SHADE_OF[name] ?? 0] };
    else colour = { foreground: WHITE, background: family.exchange };
    COLOURS.set(key, colour);
  }
  return colour;
}

function familyOf(microBatch: number): Family {
  return FAMILIES[Math.max(0, microBatch) % FAMILIES.length]!;
}

function streamRow(label: string, marks: readonly SpanMark[], { grid, isNumbered }: View): Row {
  const { cells, unseen } = fillRow(marks, grid);
  return {
    label,
    cells: cells.map((cell) =>
      cell === undefined
        ? { text: " ", colour: undefined }
        : { text: streamText(cell, isNumbered), colour: cell.mark.colour },
    ),
    shown: shownOf(cells),
    unseen,
  };
}

/** A0AAAA, or A0---- for another layer's. */
function streamText({ mark, index }: FilledCell<SpanMark>, isNumbered: boolean): string {
  if (isNumbered && index === 1 && mark.microBatch >= 0)
    return mark.microBatch < 10 ? String(mark.microBatch) : "+";
  return index === 0 || mark.isOwn ? mark.letter : OTHER_LAYER;
}

function flightRow(
  label: string,
  messages: readonly RecordedMessage[],
  computing: readonly number[],
  { layers, grid }: View,
): Row {
  const byKey = new Map<string, RecordedMessage[]>();
  for (const message of messages) {
    const key = `${message.phase} ${isOfLayers(message, layers)}`;
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [message]);
    else known.push(message);
  }
  const marks = [...byKey].flatMap(([key, alike]) => {
    const { phase, microBatch } = alike[0]!;
    const looks = {
      name: `${phase} in flight` as const,
      letter: phase === "dispatch" ? "D" : "C",
      microBatch,
      isOwn: isOfLayers(alike[0]!, layers),
      colour: { foreground: familyOf(microBatch).plain },
    };
    const flight = unionOf(alike.flatMap(({ sentAt, arrivedAt }) => [sentAt, arrivedAt]));
    return stretchesOf(flight).map((stretch) => ({ key, ...stretch, ...looks }));
  });
  const flight = unionOf(marks.flatMap(({ start, end }) => [start, end]));
  const flying = coveredParts(stretchesOf(flight), grid);
  const exposed = coveredParts(stretchesOf(differenceOf(flight, computing)), grid);
  const { cells, unseen } = fillRow<SpanMark>(marks, grid);
  return {
    label,
    cells: cells.map((cell, index) => {
      if (cell === undefined) return { text: " ", colour: undefined };
      const isExposed = exposed[index]! >= flying[index]! / 2;
      const fill = cell.mark.isOwn ? (isExposed ? FULL : LIGHT) : OTHER_LAYER;
      return {
        text: cell.index === 0 ? cell.mark.letter : fill,
        colour: isExposed && cell.mark.isOwn ? EXPOSED : cell.mark.colour,
      };
    }),
    shown: shownOf(cells),
    unseen,
  };
}

function stretchesOf(set: readonly number[]): { readonly start: number; readonly end: number }[] {
  return Array.from({ length: set.length / 2 }, (_, i) => ({ start: set[2 * i]!, end: set[2 * i + 1]! }));
}

function shownOf(cells: readonly (FilledCell<SpanMark> | undefined)[]): SpanMark[] {
  return cells.flatMap((cell) => (cell?.index === 0 ? [cell.mark] : []));
}
