// How a command that failed says so. A misbehaving world: the message, then what is known of the place, then what
// to do next; no stack. A bug: the message and the stack.

import { WorldError, type WorldErrorCode } from "@windtunnel/base";
import type { Colours } from "../screen.ts";

export interface ErrorReport {
  readonly text: string;
  readonly exitCode: number;
}

/** What to do next, by code. Input errors say it themselves: what is allowed. */
const NEXT_STEPS: Readonly<Partial<Record<WorldErrorCode, string>>> = {
  oversubscribed: "a shorter kvLength, fewer requests or more GPUs; or --allow-oversubscription",
  "host-died": "run again; if memory ran out, with fewer requests or fewer hosts",
  "frame-damaged": "run again; if it repeats between the same two hosts, suspect the machine",
  deadlock: "look who waits for whom above; a schedule or a dispatch pattern misses a partner",
  "time-exhausted":
    "fewer steps, a smaller workload, a shorter kvLength, or overrides that slow parts down less",
  numerics: "check the weights of the tensor named above; nothing after it can be trusted",
  disk: "free some space, or choose another folder with --out",
};

/** Details that get a line of their own, in this order. */
const SHOWN_DETAILS = ["file", "line", "path", "found", "allowed"];
const LABEL_WIDTH = 9;

export function reportError(error: unknown, colours: Colours): ErrorReport {
  if (!(error instanceof WorldError)) {
    const bug = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { text: `${colours.red("bug in windtunnel:")} ${bug}`, exitCode: 1 };
  }
  const { message, details, code, exitCode } = error;
  const lines = [`${colours.red("error:")} ${message}`];
  const addLine = (label: string, text: string): void => {
    lines.push(`  ${colours.dim(label.padEnd(LABEL_WIDTH))}${text}`);
  };
  for (const key of SHOWN_DETAILS) {
    const value = details[key];
    if (value === undefined || value === "") continue;
    const text = typeof value === "string" ? value : JSON.stringify(value);
    // Most messages name the place already.
    if (!message.includes(text)) addLine(key, text);
  }
  const next = typeof details["next"] === "string" ? details["next"] : NEXT_STEPS[code];
  if (next !== undefined) addLine("next", next);
  return { text: lines.join("\n"), exitCode };
}
