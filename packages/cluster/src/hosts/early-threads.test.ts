import type { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { startThreadsEarly, takeThread } from "./early-threads.ts";

const taken: Worker[] = [];
afterEach(async () => {
  await Promise.all(taken.splice(0).map((worker) => worker.terminate()));
});

test("threads that were started early are taken first, each once, and new ones then", () => {
  startThreadsEarly(2);
  for (let count = 0; count < 3; count++) taken.push(takeThread());
  const [first, second, third] = taken.map(({ threadId }) => threadId);
  expect(second).toBe(first! + 1);
  expect(third).toBe(second! + 1);
});
