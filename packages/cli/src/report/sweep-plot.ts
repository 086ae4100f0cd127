// A sweep as a picture: step time over one or two swept fields, as SVG. ECharts draws; here stands what is drawn.
// Invariant: the same rows give the same bytes, in any process and however many plots were drawn before.

import type { SweepAxis, SweepResult, SweepRow } from "@windtunnel/cluster";
import type { EChartsCoreOption } from "echarts/core";
import { mainKind } from "./sweep-table.ts";

const WIDTH = 800;
const HEIGHT = 480;
/** More lines than these nobody tells apart: a heat map is drawn instead. */
const MOST_LINES = 8;
const LABEL_LENGTH = 28;
/** Nobody measures text here: there are only fonts where the picture is looked at. Room for a letter, in pixels. */
const LETTER_WIDTH = 8;
const STEP_COLOUR = "#4c78a8";
const EXPOSED_COLOUR = "#e4572e";
/** Of lines, told apart also by those who see few colours (Okabe and Ito). */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#999999", "#000000"];

type Kind = "decode" | "prefill";

interface Unit {
  readonly name: string;
  readonly us: number;
}

/** Why a sweep has no plot; undefined where it has one. */
export function plotRefusal({ axes, rows }: SweepResult): string | undefined {
  if (axes.length > 2) return `it shows one or two swept fields, and these are ${axes.length}`;
  return mainKind(rows) === undefined ? "no point has a step" : undefined;
}

/** Throws where `plotRefusal` gives a reason. */
export async function renderPlot(result: SweepResult): Promise<string> {
  const refusal = plotRefusal(result);
  if (refusal !== undefined) throw new Error(`no plot: ${refusal}`);
  const { init, use } = await import("echarts/core");
  const { BarChart, HeatmapChart, LineChart } = await import("echarts/charts");
  const { GridComponent, LegendComponent, TitleComponent, VisualMapComponent } =
    await import("echarts/components");
  const { SVGRenderer } = await import("echarts/renderers");
  use([
    BarChart,
    HeatmapChart,
    LineChart,
    GridComponent,
    LegendComponent,
    TitleComponent,
    VisualMapComponent,
    SVGRenderer,
  ]);
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  try {
    chart.setOption(plotOption(result));
    return `${renamed(chart.renderToSVGString())}\n`;
  } finally {
    chart.dispose();
  }
}

/** Names within the picture count on from plot to plot; here they follow from where they first stand in it. */
function renamed(svg: string): string {
  const names = new Map<string, string>();
  return svg.replaceAll(/\bzr\d+-[a-z]+-?\d+\b/g, (name) => {
    const known = names.get(name) ?? `plot-${names.size}`;
    names.set(name, known);
    return known;
  });
}

/** What is drawn, as ECharts takes it. */
export function plotOption({ name, axes, rows }: SweepResult): EChartsCoreOption {
  const kind = mainKind(rows)!;
  const unit = unitOf(rows, kind);
  const common = {
    animation: false,
    backgroundColor: "#ffffff",
    color: COLOURS,
    title: { text: `${name}: ${kind} step`, left: "center", top: 12, textStyle: { fontSize: 16 } },
  };
  const [first, second] = axes;
  const form =
    second === undefined ? oneField(first!, rows, kind, unit) : twoFields([first!, second], rows, kind, unit);
  return { ...common, ...form };
}

/** Numbers: lines of the step and of what is exposed in it. Names: bars that are cut into exposed and the rest. */
function oneField(axis: SweepAxis, rows: readonly SweepRow[], kind: Kind, unit: Unit): EChartsCoreOption {
  const order = orderOf(axis);
  const inOrder = order.map((index) => rows[index]!);
  const steps = inOrder.map((row) => stepOf(row, kind, unit));
  const exposed = inOrder.map((row) => exposedOf(row, kind, unit));
  const labels = order.map((index) => labelOf(axis.values[index]!.text));
  const series = isNumeric(axis)
    ? [
        { name: "step", type: "line", data: steps, symbolSize: 8, color: STEP_COLOUR },
        {
          name: "exposed communication",
          type: "line",
          data: exposed,
          symbolSize: 8,
          color: EXPOSED_COLOUR,
          areaStyle: { opacity: 0.25 },
        },
      ]
    : [
        {
          name: "exposed communication",
          type: "bar",
          stack: "step",
          data: exposed,
          barMaxWidth: 90,
          color: EXPOSED_COLOUR,
        },
        {
          name: "the rest of the step",
          type: "bar",
          stack: "step",
          data: restOf(steps, exposed),
          barMaxWidth: 90,
          color: STEP_COLOUR,
        },
      ];
  return { ...lineFrame(axis, labels, kind, unit), series };
}

/** A line for each value of one field over numbers of the other; a heat map where neither has numbers. */
function twoFields(
  [first, second]: readonly [SweepAxis, SweepAxis],
  rows: readonly SweepRow[],
  kind: Kind,
  unit: Unit,
): EChartsCoreOption {
  const rowAt = (a: number, b: number): SweepRow => rows[a * second.values.length + b]!;
  const firstIsAcross = isNumeric(first) && (!isNumeric(second) || second.values.length <= MOST_LINES);
  const [across, other] = firstIsAcross ? [first, second] : [second, first];
  const at = (x: number, y: number): SweepRow => (firstIsAcross ? rowAt(x, y) : rowAt(y, x));
  const order = orderOf(across);
  const labels = order.map((index) => labelOf(across.values[index]!.text));
  if (!isNumeric(across) || other.values.length > MOST_LINES) {
    return heatMap(
      [across, other],
      { labels, valueAt: (x, y) => stepOf(at(order[x]!, y), kind, unit) },
      kind,
      unit,
    );
  }
  const series = orderOf(other).map((line) => ({
    name: `${lastKey(other)} ${labelOf(other.values[line]!.text)}`,
    type: "line",
    symbolSize: 8,
    data: order.map((index) => stepOf(at(index, line), kind, unit)),
  }));
  return { ...lineFrame(across, labels, kind, unit), series };
}

function heatMap(
  [across, up]: readonly [SweepAxis, SweepAxis],
  {
    labels,
    valueAt,
  }: { readonly labels: readonly string[]; readonly valueAt: (x: number, y: number) => number | null },
  kind: Kind,
  unit: Unit,
): EChartsCoreOption {
  const order = orderOf(up);
  const upLabels = order.map((index) => labelOf(up.values[index]!.text));
  const widest = Math.max(...upLabels.map(({ length }) => length));
  const cells = order.flatMap((index, y) => labels.map((_, x) => [x, y, valueAt(x, index)] as const));
  const values = cells.flatMap(([, , value]) => (value === null ? [] : [value]));
  const isSmall = cells.length <= 100;
  return {
    grid: { left: 24 + LETTER_WIDTH * widest, right: 130, bottom: 64, top: 88 },
    xAxis: { type: "category", data: labels, name: across.name, nameLocation: "middle", nameGap: 32 },
    yAxis: { type: "category", data: upLabels, name: up.name, nameTextStyle: { align: "left" } },
    visualMap: {
      min: Math.min(...values),
      max: Math.max(...values),
      text: [`${kind} step, ${unit.name}`, ""],
      precision: 2,
      right: 8,
      top: "middle",
      calculable: false,
      inRange: { color: ["#e8f1fa", "#2f6fb0", "#10243d"] },
    },
    series: [
      {
        type: "heatmap",
        data: cells.filter(([, , value]) => value !== null),
        itemStyle: { borderColor: "#ffffff", borderWidth: 2 },
        label: { show: isSmall },
      },
    ],
  };
}

function lineFrame(axis: SweepAxis, labels: readonly string[], kind: Kind, unit: Unit): EChartsCoreOption {
  return {
    legend: { top: 44, itemGap: 40 },
    grid: { left: 64, right: 32, bottom: 64, top: 112 },
    // Values stand at equal distances, each with its label: degrees and sizes mostly double.
    xAxis: {
      type: "category",
      data: labels,
      name: axis.name,
      nameLocation: "middle",
      nameGap: 32,
      axisLabel: { interval: labels.length > 24 ? "auto" : 0 },
    },
    yAxis: { type: "value", name: `${kind} step, ${unit.name}`, min: 0, nameTextStyle: { align: "left" } },
  };
}

/** Numbers from the least to the greatest, anything else as it was typed. */
function orderOf(axis: SweepAxis): number[] {
  const indices = axis.values.map((_, index) => index);
  if (!isNumeric(axis)) return indices;
  return indices.sort((a, b) => (axis.values[a]!.value as number) - (axis.values[b]!.value as number));
}

function isNumeric({ values }: SweepAxis): boolean {
  return values.length > 1 && values.every(({ value }) => typeof value === "number");
}

function stepOf({ measures }: SweepRow, kind: Kind, unit: Unit): number | null {
  return inUnit(measures?.[`${kind}StepUs`], unit);
}

function exposedOf({ measures }: SweepRow, kind: Kind, unit: Unit): number | null {
  return inUnit(measures?.[`${kind}ExposedUs`], unit);
}

function restOf(steps: readonly (number | null)[], exposed: readonly (number | null)[]): (number | null)[] {
  return steps.map((step, index) => {
    const part = exposed[index];
    return step === null || part === null || part === undefined ? null : rounded(step - part);
  });
}

/** One unit for the whole picture: that of its longest step. */
function unitOf(rows: readonly SweepRow[], kind: Kind): Unit {
  const longest = Math.max(...rows.map(({ measures }) => measures?.[`${kind}StepUs`] ?? 0));
  if (longest < 1e3) return { name: "µs", us: 1 };
  return longest < 1e6 ? { name: "ms", us: 1e3 } : { name: "s", us: 1e6 };
}

function inUnit(us: number | null | undefined, unit: Unit): number | null {
  return us === null || us === undefined ? null : rounded(us / unit.us);
}

/** No picture shows more than four digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function lastKey({ path }: SweepAxis): string {
  return path.at(-1)!;
}

function labelOf(text: string): string {
  return text.length <= LABEL_LENGTH ? text : `…${text.slice(text.length - LABEL_LENGTH + 1)}`;
}
