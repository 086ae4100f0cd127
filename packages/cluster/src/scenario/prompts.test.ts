import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { checkTokens, loadPrompts, parsePrompts } from "./prompts.ts";

describe("prompts", () => {
  test("are read line by line, with blank lines passed over", () => {
    expect(parsePrompts('{"tokens":[1,2]}\n\n{"tokens":[3],"maxNewTokens":5}\r\n', "p.jsonl")).toEqual([
      { tokens: [1, 2], line: 1 },
      { tokens: [3], maxNewTokens: 5, line: 3 },
    ]);
  });

  test.each([
    ["", "p.jsonl: no prompts in this file"],
    ["\n \n", "p.jsonl: no prompts in this file"],
    ['{"tokens":[1]}\n{"tokens":', "p.jsonl, line 2: not JSON"],
    ["[1,2]", 'p.jsonl, line 1: found [1,2]; allowed: {"tokens":[…]}'],
    ["{}", "line 1: tokens: found nothing; allowed: a list of at least one token id"],
    ['{"tokens":[]}', "line 1: tokens: found []; allowed: a list of at least one token id"],
    ['{"tokens":[1,-2]}', "line 1: tokens[1]: found -2; allowed: a whole number of at least 0"],
    ['{"tokens":[1.5]}', "line 1: tokens[0]: found 1.5"],
    ['{"tokens":["1"]}', 'line 1: tokens[0]: found "1"'],
    [
      '{"tokens":[1],"maxNewTokens":0}',
      "line 1: maxNewTokens: found 0; allowed: a whole number of at least 1",
    ],
    ['{"token":[1]}', 'line 1: token: unknown field "token"; the nearest known name is "tokens"'],
  ])("%j is refused", (text, expected) => {
    expect(() => parsePrompts(text, "p.jsonl")).toThrow(expected);
  });

  test("with ids outside the vocabulary are refused with line and position", () => {
    const prompts = parsePrompts('{"tokens":[1]}\n{"tokens":[2,64]}', "p.jsonl");
    expect(() => checkTokens(prompts, 65)).not.toThrow();
    expect(() => checkTokens(prompts, 64, "p.jsonl")).toThrow(
      "p.jsonl, line 2: tokens[1]: found 64; allowed: ids from 0 to 63, the model's vocabulary",
    );
  });

  test("from a file that is missing or a folder are refused", () => {
    expect(() => loadPrompts("/nowhere/p.jsonl")).toThrow("there is no such file");
    expect(() => loadPrompts(tmpdir())).toThrow("this is a folder");
  });
});
