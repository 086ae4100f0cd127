import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { wiresOf } from "./attribution.ts";
import { criticalPath } from "./critical-path.ts";
import { temporaryFolder } from "./test-recordings.ts";
import { graphOfStep, SMS, writtenStep } from "./test-written-steps.ts";

let folder = "";
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("the critical path goes back over messages, streams, events and launches to where the step began", () => {
  const recording = writtenStep(
    folder,
    (pen) => {
      pen.span("gate", 0, 10, { cause: { kind: "plan" } });
      pen.span("dispatch.send", 10, 15);
      pen.message(1, 60, 80, { transfer: 12, queued: 6, portQueued: 2, sendSpan: 2 });
      pen.span("dispatch.receive", 80, 84, { stream: "communication", cause: { kind: "message", rank: 1 } });
      pen.span("mlp.experts", 84, 100, { sms: 66, cause: { kind: "event", span: 3 } });
      pen.end(0, 100);
    },
    (pen) => {
      pen.span("attention.core", 5, 30, { cause: { kind: "launch" } });
      pen.span("gate", 30, 50);
      pen.span("dispatch.send", 50, 60, { held: 3 });
      pen.end(0, 61);
    },
  );
  const { pieces, causes } = criticalPath(graphOfStep(recording), {
    sms: SMS,
    wireOf: wiresOf(recording.header),
  });
  recording.close();
  expect(
    pieces.map(({ from, to, rank, span, kind, edge }) => [from, to, rank, span?.name ?? kind, edge]),
  ).toEqual([
    [0, 5, 1, "launch", "launch"],
    [5, 30, 1, "attention.core", "stream"],
    [30, 50, 1, "gate", "stream"],
    [50, 60, 1, "dispatch.send", "message"],
    [60, 80, 0, "flight", "message"],
    [80, 84, 0, "dispatch.receive", "event"],
    [84, 100, 0, "mlp.experts", "end"],
  ]);
  expect(causes).toMatchObject({
    launching: 5,
    // 45 on all SMs, and half of 16.
    computing: 53,
    // Half of 16, the receiving kernel, and the sending one without what buffers held it up for.
    "communication-sms": 8 + 4 + 7,
    "buffer-limit": 3,
    queueing: 4,
    "transfer-nic": 16,
  });
});

test("the critical path goes from a host's wait on to what it waited for, not to where the wait began", () => {
  const recording = writtenStep(
    folder,
    (pen) => {
      pen.span("gate", 0, 20, { cause: { kind: "plan" } });
      pen.span("host.wait", 5, 45, { stream: "host", sms: 0, cause: { kind: "message", rank: 1 } });
      pen.message(1, 40, 45, { transfer: 5, sendSpan: 1 });
      pen.span("dispatch.send", 47, 60, { stream: "communication", cause: { kind: "launch" } });
      pen.end(0, 60);
    },
    (pen) => {
      pen.span("gate", 0, 30, { cause: { kind: "plan" } });
      pen.span("dispatch.notify", 30, 40);
      pen.end(0, 40);
    },
  );
  const { pieces, causes } = criticalPath(graphOfStep(recording), {
    sms: SMS,
    wireOf: wiresOf(recording.header),
  });
  recording.close();
  expect(
    pieces.map(({ from, to, rank, span, kind, edge }) => [from, to, rank, span?.name ?? kind, edge]),
  ).toEqual([
    [0, 30, 1, "gate", "stream"],
    [30, 40, 1, "dispatch.notify", "message"],
    [40, 45, 0, "flight", "message"],
    [45, 47, 0, "launch", "launch"],
    [47, 60, 0, "dispatch.send", "end"],
  ]);
  expect(causes).toMatchObject({ "host-wait": 0, launching: 2, computing: 30, "transfer-nic": 5 });
});
