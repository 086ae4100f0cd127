import pc from "picocolors";
import { describe, expect, test } from "vitest";
import { inputError, InvariantViolation, WorldError } from "@windtunnel/base";
import { reportError } from "./error-report.ts";

const plain = pc.createColors(false);

describe("an error's report", () => {
  test("of wrong input has the place, what was found and what is allowed, without a stack", () => {
    const details = { file: "a.yaml", path: "seed", found: "x", allowed: "a number" };
    expect(reportError(inputError("a.yaml: the seed is wrong", details), plain)).toEqual({
      text: "error: a.yaml: the seed is wrong\n  found    x\n  allowed  a number",
      exitCode: 2,
    });
  });

  test("of a failed run says what to do next", () => {
    const { text, exitCode } = reportError(
      new WorldError("disk", "no space left", { file: "/runs/a" }),
      plain,
    );
    expect(text.split("\n")).toEqual([
      "error: no space left",
      "  file     /runs/a",
      "  next     free some space, or choose another folder with --out",
    ]);
    expect(exitCode).toBe(1);
  });

  test("of a model that does not fit ends with 2", () => {
    expect(reportError(new WorldError("oversubscribed", "90 GB of 80 GB"), plain).exitCode).toBe(2);
  });

  test("of a bug has a stack and ends with 1", () => {
    const { text, exitCode } = reportError(new InvariantViolation("time went back"), plain);
    expect(text).toMatch(/^bug in windtunnel: InvariantViolation: time went back\n\s+at /);
    expect(exitCode).toBe(1);
  });
});
