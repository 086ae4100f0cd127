import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "./test-recordings.ts";
import { causesOf, type RankPen, writtenStep } from "./test-written-steps.ts";

let folder = "";
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Causes of rank 0, whose step goes from 0 to `end`; rank 1 does what `other` writes. */
function causes(
  end: number,
  write: (pen: RankPen) => void,
  other: (pen: RankPen) => void = () => undefined,
): string[] {
  const recording = writtenStep(
    folder,
    (pen) => {
      write(pen);
      pen.end(0, end);
    },
    (pen) => {
      other(pen);
      pen.end(0, end);
    },
  );
  try {
    return causesOf(recording, 0);
  } finally {
    recording.close();
  }
}

const fromRank1 = { cause: { kind: "message", rank: 1 } } as const;

describe("a rank's time", () => {
  test("is computing by the share of its SMs, and the rest is what communication takes", () => {
    // 108 of 132 SMs for 1,000 ps: 818.18, rounded down.
    expect(causes(1000, (pen) => void pen.span("gate", 0, 1000, { sms: 108 }))).toEqual([
      "0-818 computing",
      "818-1000 communication-sms",
    ]);
  });

  test("is launching where the host was late, since it last waited", () => {
    expect(
      causes(100, (pen) => {
        pen.span("host.wait", 0, 30, { stream: "host", sms: 0, ...fromRank1 });
        pen.message(1, 0, 30);
        pen.span("gate", 50, 100, { cause: { kind: "launch" } });
      }),
    ).toEqual(["0-30 host-wait", "30-50 launching", "50-100 computing"]);
  });

  test("waits for a slower rank where the host waits for what that one has not sent", () => {
    expect(
      causes(
        100,
        (pen) => {
          pen.span("host.wait", 0, 60, { stream: "host", sms: 0, ...fromRank1 });
          pen.message(1, 40, 60, { sendSpan: 1 });
          pen.span("gate", 60, 100, { cause: { kind: "launch" } });
        },
        (pen) => {
          pen.span("gate", 0, 25);
          pen.span("dispatch.notify", 25, 40, { cause: { kind: "event", span: 0 } });
        },
      ),
    ).toEqual(["0-25 slower-rank 1", "25-60 host-wait", "60-100 computing"]);
  });

  test("names the rank that is slow, not the one that had to wait for it before it sent", () => {
    const recording = writtenStep(
      folder,
      (pen) => {
        pen.message(1, 70, 80, { sendSpan: 2 });
        pen.span("dispatch.receive", 80, 80, { stream: "communication", ...fromRank1 });
        pen.span("mlp.experts", 80, 100, { cause: { kind: "event", span: 1 } });
        pen.end(0, 100);
      },
      (pen) => {
        const cause = { kind: "message", rank: 2 } as const;
        pen.span("host.wait", 0, 60, { stream: "host", sms: 0, cause });
        pen.message(2, 50, 60, { sendSpan: 1 });
        pen.span("dispatch.send", 60, 70, { stream: "communication", cause: { kind: "launch" } });
        pen.end(0, 100);
      },
      (pen) => {
        pen.span("gate", 0, 45);
        pen.span("dispatch.notify", 45, 50);
        pen.end(0, 100);
      },
    );
    expect(causesOf(recording, 0)).toEqual([
      "0-60 slower-rank 2",
      "60-70 communication-sms",
      "70-80 transfer-nvlink",
      "80-100 computing",
    ]);
    recording.close();
  });

  test("is a message's way, from its end: relay, its own bytes, queues, the port and latencies", () => {
    const message = {
      relayed: 5,
      transfer: 20,
      queued: 14,
      portQueued: 4,
      limitingLink: 1,
      sendSpan: 0,
    } as const;
    expect(
      causes(
        100,
        (pen) => {
          pen.message(1, 10, 60, message);
          pen.span("mlp.experts", 60, 100, fromRank1);
        },
        (pen) => void pen.span("dispatch.send", 4, 10),
      ),
    ).toEqual([
      "0-4 slower-rank 1",
      "4-10 communication-sms",
      // Of 50: 5 relay, 20 transfer, 10 queueing behind others, the rest port and latency.
      "10-25 transfer-nic",
      "25-35 queueing at plane 0 / leaf 0 > spine 0",
      "35-55 transfer-nic",
      "55-60 relay",
      "60-100 computing",
    ]);
  });

  test("names the wire by the slowest link", () => {
    const causeOf = (link: { slowestProcess: number; slowestLink: number }): string =>
      causes(
        50,
        (pen) => {
          pen.message(1, 0, 20, { transfer: 20, ...link });
          pen.span("mlp.experts", 20, 50, fromRank1);
        },
        (pen) => void pen.span("dispatch.send", 0, 0),
      )[0]!;
    expect(causeOf({ slowestProcess: 2, slowestLink: 0 })).toBe("0-20 transfer-nvlink");
    expect(causeOf({ slowestProcess: 3, slowestLink: 2 })).toBe("0-20 transfer-nic");
    expect(causeOf({ slowestProcess: 3, slowestLink: 3 })).toBe("0-20 transfer-pcie");
  });

  test("is relayed by another rank's forwarding kernel, up to what that one waited for", () => {
    expect(
      causes(
        100,
        (pen) => {
          pen.message(1, 50, 60, { sendSpan: 2, transfer: 10, slowestProcess: 2 });
          pen.span("mlp.experts", 60, 100, fromRank1);
        },
        (pen) => {
          pen.span("attention.core", 0, 12);
          pen.message(0, 5, 30, { transfer: 25, sendSpan: 99 });
          pen.span("dispatch.forward", 30, 50, { stream: "forward", cause: { kind: "message", rank: 0 } });
        },
      ),
    ).toEqual([
      // Its message is a rank's whose send was not recorded: nobody else to blame.
      "0-5 slower-rank 0",
      "5-30 transfer-nic",
      "30-50 relay 1",
      "50-60 transfer-nvlink",
      "60-100 computing",
    ]);
  });

  test("is limited by buffers where a kernel waits for them, or is held up by them", () => {
    expect(
      causes(100, (pen) => {
        pen.span("gate", 0, 10);
        pen.span("combine.send", 30, 60, { cause: { kind: "buffer", span: 0 }, held: 12 });
        pen.span("attention.project", 60, 100, { cause: { kind: "event", span: 1 } });
      }),
    ).toEqual([
      "0-10 computing",
      "10-30 buffer-limit",
      "30-48 communication-sms",
      "48-60 buffer-limit",
      "60-100 computing",
    ]);
  });

  test("fills and drains the pipeline where the other micro-batch has not begun or is through", () => {
    expect(
      causes(
        200,
        (pen) => {
          pen.span("gate", 0, 10);
          pen.message(1, 10, 40, { transfer: 30, sendSpan: 0 });
          pen.span("mlp.experts", 40, 60, fromRank1);
          pen.span("gate", 60, 80, { microBatch: 1 });
          pen.message(1, 80, 110, { transfer: 30, sendSpan: 0, microBatch: 1 });
          pen.span("mlp.experts", 110, 120, { microBatch: 1, ...fromRank1 });
          pen.span("mlp.shared", 120, 130);
          pen.message(1, 130, 190, { transfer: 60, sendSpan: 0, phase: "combine", microBatch: 1 });
          pen.span("combine.receive", 190, 200, { microBatch: 1, ...fromRank1 });
        },
        (pen) => void pen.span("dispatch.send", 0, 0),
      ),
    ).toEqual([
      "0-10 computing",
      "10-40 fill-and-drain",
      "40-60 computing",
      "60-80 computing",
      "80-110 transfer-nic",
      "110-120 computing",
      "120-130 computing",
      "130-190 fill-and-drain",
      "190-200 fill-and-drain",
    ]);
  });

  test("is idle before a rank begins and after it ends, until all have", () => {
    const recording = writtenStep(
      folder,
      (pen) => {
        pen.span("gate", 20, 50, { cause: { kind: "plan" } });
        pen.end(20, 50);
      },
      (pen) => {
        pen.span("gate", 0, 90, { cause: { kind: "plan" } });
        pen.end(0, 90);
      },
    );
    expect(causesOf(recording, 0)).toEqual(["0-20 idle", "20-50 computing", "50-90 idle"]);
    recording.close();
  });
});
