import { Payload } from "@windtunnel/base";
import { expect, test } from "vitest";
import { OutputBlock, packContents, RowBlock, unpackContents } from "./index.ts";

const payload = new Payload(Uint8Array.of(1, 2, 3));

test("contents of messages are the same after a way between hosts", () => {
  const offsets = Int32Array.of(0, 4, 4, 9, 11);
  const rows = new RowBlock({ source: 3, target: 1 }, offsets, 1, 2, payload);
  const without = new RowBlock({ source: 0, target: 2 }, offsets, 0, 4, undefined);
  const outputs = new OutputBlock(rows, payload);
  const set = { source: 1, tokens: Int32Array.of(5), offsets: Int32Array.of(0, 1) };
  const contents = [rows, Int32Array.of(7, 8), without, outputs, [without, outputs, set], [], undefined];
  const back = unpackContents(packContents(contents));
  expect(back).toHaveLength(contents.length);
  const [first, counts, second, third, list, none, nothing] = back as [
    RowBlock,
    Int32Array,
    RowBlock,
    OutputBlock,
    unknown[],
    unknown[],
    undefined,
  ];
  expect([first.source, first.target, first.rows, [...first.counts]]).toEqual([3, 1, 5, [0, 5]]);
  expect(first.payload).toBe(payload);
  expect([...counts]).toEqual([7, 8]);
  expect([second.rows, [...second.counts], second.payload]).toEqual([11, [4, 0, 5, 2], undefined]);
  expect(third).toEqual(outputs);
  expect(list[0]).toBeInstanceOf(RowBlock);
  expect(list.slice(1)).toEqual([outputs, set]);
  expect([none, nothing]).toEqual([[], undefined]);
});
