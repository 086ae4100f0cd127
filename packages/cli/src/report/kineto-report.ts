// What the kernels of a profiler's trace say of overlap, for people: a GPU in full, or a row for each of several and
// the one that exposes most in full. Figures and their definitions are trace's (kineto-overlap.ts).

import type { KinetoDeviceOverlap, KinetoOverlap } from "@windtunnel/trace";
import type { Colours } from "../screen.ts";
import { formatCount, formatFraction, formatMicroseconds } from "./format.ts";
import { renderSection, SCREEN_WIDTH, shorten, wrap } from "./table.ts";

const DEVICES_SHOWN = 16;
const COMMUNICATION_SHOWN = 12;
const COMPUTE_SHOWN = 10;
/** What the widest figures beside it leave of 80 columns. */
const NAME_WIDTH = 36;

export function renderKinetoOverlap(overlap: KinetoOverlap, colours: Colours): string {
  const { devices } = overlap;
  const shown = devices.reduce((most, device) => (device.exposedUs > most.exposedUs ? device : most));
  return [
    ...(devices.length > 1 ? [renderDevices(devices, colours)] : []),
    renderDevice(shorten(titleOf(overlap, shown), SCREEN_WIDTH), shown, colours),
    renderCommunication(shown, colours),
    renderCompute(shown, colours),
    wrap(notesOf(overlap)),
  ].join("\n\n");
}

function titleOf({ file, rank, worldSize, devices }: KinetoOverlap, { device }: KinetoDeviceOverlap): string {
  if (devices.length > 1) return `${device}, which exposes most`;
  const ofRanks = worldSize === null ? "" : ` of ${worldSize}`;
  return rank === null ? `${file}, ${device}` : `${file}, rank ${rank}${ofRanks}, ${device}`;
}

function renderDevices(devices: readonly KinetoDeviceOverlap[], colours: Colours): string {
  const rows = devices
    .slice(0, DEVICES_SHOWN)
    .map(({ device, spanUs, communicationUs, overlapFraction, exposedUs }) => [
      shorten(device, NAME_WIDTH),
      formatMicroseconds(spanUs),
      formatMicroseconds(communicationUs),
      formatFraction(overlapFraction),
      formatMicroseconds(exposedUs),
    ]);
  const more = devices.length - rows.length;
  const table = renderSection(
    "GPUs",
    {
      head: ["GPU", "span", "communication", "hidden", "exposed"],
      aligns: ["left", "right", "right", "right", "right"],
      rows,
    },
    colours,
  );
  return more > 0 ? `${table}\n  and ${more} more` : table;
}

/** In microseconds throughout, so that the parts add up before the reader's eyes. */
function renderDevice(title: string, device: KinetoDeviceOverlap, colours: Colours): string {
  const rows = [
    ["span", device.spanUs, `${formatCount(device.kernelCount)} kernels`],
    ["computing", device.computeUs, ofSpan(device.computeUs, device)],
    ["communicating", device.communicationUs, ofSpan(device.communicationUs, device)],
    ["both: hidden", device.overlapUs, `${formatFraction(device.overlapFraction)} of communicating`],
    ["exposed", device.exposedUs, ofSpan(device.exposedUs, device)],
    ["neither", device.idleUs, ofSpan(device.idleUs, device)],
  ] as const;
  return renderSection(
    title,
    {
      aligns: ["left", "right", "left"],
      rows: rows.map(([label, us, remark]) => [label, `${formatCount(us)} µs`, remark]),
    },
    colours,
  );
}

function ofSpan(us: number, { spanUs }: KinetoDeviceOverlap): string {
  return `${formatFraction(spanUs === 0 ? null : us / spanUs)} of span`;
}

function renderCommunication({ communication }: KinetoDeviceOverlap, colours: Colours): string {
  const rows = communication
    .slice(0, COMMUNICATION_SHOWN)
    .map(({ name, count, meanUs, totalUs, exposedUs }) => [
      kernelLabel(name, NAME_WIDTH),
      formatCount(count),
      formatMicroseconds(meanUs),
      formatMicroseconds(totalUs),
      formatMicroseconds(exposedUs),
    ]);
  const head = ["kernel", "count", "mean", "total", "exposed"];
  return renderNames("Communicating kernels", head, rows, communication.length, colours);
}

function renderCompute({ compute }: KinetoDeviceOverlap, colours: Colours): string {
  const rows = compute
    .slice(0, COMPUTE_SHOWN)
    .map(({ name, count, meanUs, totalUs }) => [
      kernelLabel(name, NAME_WIDTH),
      formatCount(count),
      formatMicroseconds(meanUs),
      formatMicroseconds(totalUs),
    ]);
  const head = ["kernel", "count", "mean", "total"];
  return renderNames("Busiest computing kernels", head, rows, compute.length, colours);
}

function renderNames(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  nameCount: number,
  colours: Colours,
): string {
  if (rows.length === 0) return `${colours.cyan(title)}\n  none`;
  const aligns = head.map((_, column) => (column === 0 ? "left" : "right"));
  const table = renderSection(title, { head, aligns, rows }, colours);
  return nameCount > rows.length ? `${table}\n  and ${nameCount - rows.length} more names` : table;
}

function notesOf({ patterns, skippedKernels }: KinetoOverlap): string {
  const skipped =
    skippedKernels === 0 ? "" : ` ${formatCount(skippedKernels)} kernels without a usable time are left out.`;
  return (
    `Communicating is what matches ${patterns.join(" or ")} (--communication sets it); copies and fills of memory ` +
    `are neither. Bytes that fly while no kernel runs for them are not seen.${skipped}`
  );
}

/** A kernel's name without its return type, namespaces and arguments, cut to `width`: `dispatch<false, 8, true, 8>`. */
export function kernelLabel(name: string, width: number): string {
  const signature = withoutArguments(name);
  let depth = 0;
  let from = 0;
  for (let at = 0; at < signature.length; at++) {
    const character = signature[at]!;
    if ("<({[".includes(character)) depth += 1;
    else if (">)}]".includes(character)) depth -= 1;
    else if (depth === 0 && (character === " " || signature.startsWith("::", at - 1))) from = at + 1;
  }
  return shorten(signature.slice(from) || name, width);
}

/** Cuts the bracket that closes the name, with all that it holds. */
function withoutArguments(name: string): string {
  if (!name.endsWith(")")) return name;
  let depth = 0;
  for (let at = name.length - 1; at >= 0; at--) {
    if (name[at] === ")") depth += 1;
    else if (name[at] === "(") depth -= 1;
    if (depth === 0) return name.slice(0, at);
  }
  return name;
}
