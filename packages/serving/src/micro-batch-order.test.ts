import { describe, expect, test } from "vitest";
import { MicroBatchOrder, type MicroBatchOperation } from "./micro-batch-order.ts";

const CHAIN: readonly MicroBatchOperation[] = [
  "attention0",
  "attention1",
  "sendDispatch",
  "receiveDispatch",
  "mlp",
  "sendCombine",
  "receiveCombine",
];

describe("the order of a micro-batch's operations", () => {
  test("lets the shared experts stand anywhere behind the gate, and layers follow each other", () => {
    for (let place = 2; place <= CHAIN.length; place++) {
      const order = new MicroBatchOrder("mine", 0, [3, 4]);
      for (const layer of [3, 4]) {
        for (const each of CHAIN.toSpliced(place, 0, "shared")) order.issue(each, layer);
      }
      expect(() => order.checkComplete()).not.toThrow();
    }
  });

  test.each([
    [["attention1"], "issues attention1 of layer 3: attention0 is due"],
    [["attention0", "shared"], "issues shared of layer 3: it needs attention1"],
    [["attention0", "attention1", "mlp"], "issues mlp of layer 3: sendDispatch is due"],
    [["attention0", "attention0"], "issues attention0 of layer 3: attention1 is due"],
    [["attention0", "attention1", "shared", "shared"], "it was issued before"],
  ] as const)("refuses %j", (operations, message) => {
    const order = new MicroBatchOrder("mine", 1, [3, 4]);
    expect(() => {
      for (const each of operations) order.issue(each, 3);
    }).toThrow(message);
    expect(() => order.checkComplete()).toThrow("schedule mine ends without");
  });

  test("refuses the next layer before this one is done, and more than all", () => {
    expect(() => new MicroBatchOrder("mine", 1, [3, 4]).issue("attention0", 4)).toThrow(
      "attention0 of layer 3 is due (micro-batch 1)",
    );
    const order = new MicroBatchOrder("mine", 1, [3]);
    expect(() => order.issue("attention0", 4)).toThrow("there is no such layer among `layers`");
    for (const each of [...CHAIN, "shared"] as const) order.issue(each, 3);
    expect(() => order.issue("attention0", 3)).toThrow("all layers are done");
  });
});
