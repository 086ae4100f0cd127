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
  const rows = outcomes
    .toSorted((a, b) => gainOf(b) - gainOf(a))
    .map((outcome) => {
      const after = outcome.measures.steps[kind];
      return [
        broken(outcome.change, CHANGE_WIDTH),
        formatMicroseconds(before.stepUs),
        after === undefined ? "–" : formatMicroseconds(after.stepUs),
        formatGain(gainOf(outcome)),
        formatPercent(outcome.difference.steps[kind]?.stepUs.fraction ?? null),
        formatMicroseconds(before.exposedUs),
        after === undefined ? "–" : formatMicroseconds(after.exposedUs),
      ];
    });
  return renderSection(
    `What if: mean ${kind} step, and its exposed communication`,
    {
      head: ["change", "step\nbefore", "step\nafter", "gain", "gain", "exposed\nbefore", "exposed\nafter"],
      aligns: ["left", "right", "right", "right", "right", "right", "right"],
      rows,
    },
    colours,
  );
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

/** A long change in lines, broken after a space or a sign where there is one. */
function broken(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = text.slice(0, width);
  const at = Math.max(...[" ", "=", ".", ":"].map((sign) => head.lastIndexOf(sign))) + 1 || width;
  return `${text.slice(0, at).trimEnd()}\n${broken(text.slice(at), width)}`;
}
