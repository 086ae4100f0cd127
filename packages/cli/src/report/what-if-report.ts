// What single changes of a scenario came to: for each kind of step a table, the largest gain first, then what to know of
// some changes. A gain is time that a step no longer takes; a change that costs time has a negative one.

import type { WhatIfOutcome, WhatIfResult } from "@windtunnel/cluster";
import type { Colours } from "../screen.ts";
import { formatMicroseconds } from "./format.ts";
import { renderSection, wrap } from "./table.ts";

type StepKind = "prefill" | "decode";

/** Six columns of times and percents take the rest of 80. */
const CHANGE_WIDTH = 22;

export function renderWhatIf(result: WhatIfResult, colours: Colours): string {
  const kinds = (["prefill", "decode"] as const).filter((kind) => result.unchanged.steps[kind] !== undefined);
  return [...kinds.map((kind) => renderSteps(kind, result, colours)), ...renderRemarks(result)].join("\n\n");
}

function renderSteps(kind: StepKind, { unchanged, outcomes }: WhatIfResult, colours: Colours): string {
  const before = unchanged.steps[kind]!;
  const gainOf = ({ difference }: WhatIfOutcome): number => -(difference.steps[kind]?.stepUs.us ?? 0);
  const sorted = outcomes.toSorted((a, b) => gainOf(b) - gainOf(a));
  const rows = sorted.map((outcome) => {
    const after = outcome.measures.steps[kind];
    return [
      isLong(outcome) ? "" : outcome.change,
      formatMicroseconds(before.stepUs),
      after === undefined ? "–" : formatMicroseconds(after.stepUs),
      formatGain(gainOf(outcome)),
      formatPercent(outcome.difference.steps[kind]?.stepUs.fraction ?? null),
      formatMicroseconds(before.exposedUs),
      after === undefined ? "–" : formatMicroseconds(after.exposedUs),
    ];
  });
  const section = renderSection(
    `What if: mean ${kind} step, and its exposed communication`,
    {
      head: ["change", "step\nbefore", "step\nafter", "gain", "gain", "exposed\nbefore", "exposed\nafter"],
      aligns: ["left", "right", "right", "right", "right", "right", "right"],
      rows,
    },
    colours,
  );
  return withLongChanges(section, sorted);
}

function isLong({ change }: WhatIfOutcome): boolean {
  return change.length > CHANGE_WIDTH;
}

/** A change that is longer than its column stands whole on a line above its numbers, so that it can be copied. */
function withLongChanges(section: string, outcomes: readonly WhatIfOutcome[]): string {
  const lines = section.split("\n");
  const rows = lines.splice(lines.length - outcomes.length);
  const changed = rows.flatMap((row, index) => {
    const outcome = outcomes[index]!;
    return isLong(outcome) ? [`  ${outcome.change}`, row] : [row];
  });
  return [...lines, ...changed].join("\n");
}

/** Each remark once, with the changes that it is on. */
function renderRemarks({ outcomes }: WhatIfResult): string[] {
  const changes = new Map<string, string[]>();
  for (const { change, remark } of outcomes) {
    if (remark !== null) changes.set(remark, [...(changes.get(remark) ?? []), change]);
  }
  return [...changes].map(([remark, named]) => wrap(`${named.join(", ")}: ${remark}`));
}

function formatGain(us: number): string {
  return `${us < 0 ? "-" : ""}${formatMicroseconds(Math.abs(us))}`;
}

/** A difference of -0.123 is a gain of 12.3 %. */
function formatPercent(fraction: number | null): string {
  if (fraction === null) return "–";
  const percent = (-100 * fraction).toFixed(1);
  return `${Number(percent) === 0 ? "0.0" : percent} %`;
}
