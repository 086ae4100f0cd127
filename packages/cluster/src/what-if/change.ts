// A change to try on a scenario, as it is typed: `nic=2x`, `gpu:17=1x`, `gate=balanced`. Knows the names of changes and
// the form of their values; whether a scenario has such a part, schedule or pattern is asked where it is applied.

import path from "node:path";
import { inputError, type WorldError } from "@windtunnel/base";
import { isModuleFile, nearestName } from "../scenario/index.ts";

export type StepField = "prefill.schedule" | "decode.schedule" | "prefill.dispatch" | "decode.dispatch";

export type Change = { readonly text: string } & (
  | {
      /** All links or launches of a kind, instead of the scenario's own factor; `gpus`: on top of it. */
      readonly kind: "nic" | "nvlink" | "pcie" | "launch" | "gpus";
      readonly factor: number;
    }
  | { readonly kind: "gpu" | "expert"; readonly number: number; readonly factor: number }
  | { readonly kind: "link"; readonly name: string; readonly factor: number }
  | { readonly kind: "gate"; readonly draw: "balanced" | "gate-like" }
  /** Without a phase: of decode, or of prefill where nothing else is run. */
  | { readonly kind: "schedule" | "dispatch" | StepField; readonly value: string }
);

const FACTOR_KINDS = ["nic", "nvlink", "pcie", "launch", "gpus"] as const;
const NUMBERED_KINDS = ["gpu", "expert"] as const;
const DRAWS = ["balanced", "gate-like"] as const;
const STEP_FIELDS = [
  "schedule",
  "dispatch",
  "prefill.schedule",
  "decode.schedule",
  "prefill.dispatch",
  "decode.dispatch",
] as const;

const WITHOUT_PART = [...FACTOR_KINDS, "gate", ...STEP_FIELDS];
const WITH_PART = [...NUMBERED_KINDS, "link"] as const;
const EXAMPLES = { gpu: "gpu:17", expert: "expert:17", link: "link:plane 3 / leaf 0 - spine 5" };
const FACTOR_ALLOWED = "a factor above 0, such as 2x or 0.5x";

/** Reads changes between commas; one that is repeated counts once. Throws an input error. */
export function parseChanges(text: string): Change[] {
  const texts = text.split(",").map((each) => each.trim());
  return [...new Set(texts)].map(parseChange);
}

export function parseChange(text: string): Change {
  const match = /^([^=]*?)\s*=\s*(.*)$/s.exec(text);
  if (match === null) {
    throw changeError(text, text === "" ? "nothing" : text, "NAME=VALUE, such as nic=2x or gate=balanced");
  }
  const [, name = "", value = ""] = match;
  const colon = name.indexOf(":");
  if (colon >= 0) return partChange(text, name.slice(0, colon), name.slice(colon + 1).trim(), value);
  const factorKind = FACTOR_KINDS.find((each) => each === name);
  if (factorKind !== undefined) return { text, kind: factorKind, factor: factorOf(text, factorKind, value) };
  const field = STEP_FIELDS.find((each) => each === name);
  if (field !== undefined) return { text, kind: field, value: stepValue(text, field, value) };
  if (name === "gate") return { text, kind: name, draw: drawOf(text, value) };
  throw unknownName(text, name);
}

function partChange(text: string, kind: string, part: string, value: string): Change {
  const numbered = NUMBERED_KINDS.find((each) => each === kind);
  if (numbered !== undefined) {
    if (!/^(?:0|[1-9]\d*)$/.test(part)) {
      throw changeError(text, part === "" ? "no number" : part, `a number, such as ${EXAMPLES[numbered]}=1x`);
    }
    return { text, kind: numbered, number: Number(part), factor: factorOf(text, numbered, value) };
  }
  if (kind !== "link") throw unknownName(text, kind);
  if (part === "") throw changeError(text, "no name", `a link's name, such as ${EXAMPLES.link}=1x`);
  return { text, kind, name: part, factor: factorOf(text, kind, value) };
}

/** `2x`; for launches, which can cost nothing, also `0`. */
function factorOf(text: string, kind: string, value: string): number {
  const isLaunch = kind === "launch";
  const digits = /^((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)x$/i.exec(value)?.[1];
  const factor = isLaunch && value === "0" ? 0 : Number(digits);
  if (Number.isFinite(factor) && (factor > 0 || (isLaunch && factor === 0))) return factor;
  const allowed = isLaunch ? "0, or a factor such as 0.5x" : FACTOR_ALLOWED;
  throw changeError(text, value === "" ? "no value" : value, allowed);
}

function drawOf(text: string, value: string): (typeof DRAWS)[number] {
  const draw = DRAWS.find((each) => each === value);
  if (draw !== undefined) return draw;
  throw changeError(text, value === "" ? "no value" : value, hinted(value, DRAWS, DRAWS.join(", ")));
}

/** Files start from the current folder, as on any command line. */
function stepValue(text: string, field: string, value: string): string {
  if (value !== "") return isModuleFile(value) ? path.resolve(value) : value;
  throw changeError(text, "no value", `a ${field.endsWith("schedule") ? "schedule" : "pattern"}`);
}

function unknownName(text: string, name: string): WorldError {
  const known = [...WITHOUT_PART, ...WITH_PART.map((kind) => EXAMPLES[kind])].join(", ");
  const found = name === "" ? "no name" : name;
  const isKind = WITHOUT_PART.some((each) => each === name);
  if (isKind) return changeError(text, `a part of ${name}`, `${name} as a whole: ${name}=…`);
  const part = WITH_PART.find((each) => each === name);
  if (part !== undefined) return changeError(text, found, `which one, such as ${EXAMPLES[part]}=1x`);
  return changeError(text, found, hinted(name, [...WITHOUT_PART, ...WITH_PART], known));
}

function hinted(name: string, names: readonly string[], allowed: string): string {
  const nearest = nearestName(name, names);
  return nearest === undefined ? allowed : `${allowed}. Did you mean ${nearest}?`;
}

function changeError(text: string, found: string, allowed: string): WorldError {
  const subject = text === "" ? "a change" : text;
  return inputError(`${subject}: found ${found}; allowed: ${allowed}`, { change: text, found, allowed });
}
