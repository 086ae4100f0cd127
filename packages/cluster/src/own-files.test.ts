import { expect, test } from "vitest";
import { ownFileError } from "./own-files.ts";

const FILE = "/home/me/mine.ts";

test("a file that can't be loaded is named with the line and the reason", () => {
  const error = new Error("Expected ',', got 'x'\nmore");
  error.stack = `${FILE}:12\n  code\n  at somewhere (/other/mine.ts.js:3:4)`;
  const { message, details, exitCode } = ownFileError(
    error,
    FILE,
    "a dispatch pattern",
    "run.decode.dispatch",
  );
  expect(message).toBe(`${FILE}, line 12: can't be loaded as a dispatch pattern: Expected ',', got 'x'`);
  expect([details.path, exitCode]).toEqual(["run.decode.dispatch", 2]);
  expect(ownFileError("gone", FILE, "a dispatch pattern", "x").message).toBe(
    `${FILE}: can't be loaded as a dispatch pattern: gone`,
  );
});
