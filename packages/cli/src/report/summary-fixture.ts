// A summary with values that are easy to recognise, for tests of reports.

import type { Summary } from "@windtunnel/cluster";

export interface FixtureOptions {
  readonly decodeUs: number;
  readonly hiddenUs: number;
}

/** One prefill step of 12 ms and two decode steps of `decodeUs`, each with 5 ms of communication. */
export function summaryFixture({ decodeUs, hiddenUs }: FixtureOptions): Summary {
  const communication = {
    totalUs: 5000,
    hiddenUs,
    exposedUs: 5000 - hiddenUs,
    hiddenFraction: hiddenUs / 5000,
    waitUs: 123.4,
    exposedWaitUs: 56.7,
  };
  const decode = { kind: "decode", us: decodeUs, layerUs: decodeUs / 58 } as const;
  return {
    schema: "windtunnel/summary@1",
    name: "fixture",
    digests: { events: "e", tokens: "t", trace: "x" },
    outputs: Array.from({ length: 9 }, (_, request) => ({
      request,
      tokens: Array.from({ length: 30 }, (_, i) => 100_000 + i),
    })),
    virtual: {
      totalUs: 12_000 + 2 * decodeUs,
      steps: [{ kind: "prefill", us: 12_000, layerUs: 200 }, decode, decode],
      timeToFirstTokenUs: 12_000,
      timePerOutputTokenUs: null,
      tokensPerSecondPerNode: 1_234_567,
      latencies: { timeToFirstTokenUs: null, timePerOutputTokenUs: null },
    },
    communication,
    communicationByStepKind: { prefill: communication, decode: communication },
    traffic: { nvlinkBytes: 1.5e9, rdmaBytes: 2.5e8, bytesByPlane: [1e8, 1.5e8], messages: 4321 },
    hosts: Array.from({ length: 20 }, (_, i) => ({
      kind: "process",
      pid: 4_194_000 + i,
      gpus: [2 * i],
      planes: [i],
    })),
    wall: {
      seconds: 12.5,
      startSeconds: 1,
      firstEventAt: 1.7e12,
      exportSeconds: 2,
      events: 1e8,
      eventsPerSecond: 8e6,
      linkEvents: 0,
      laterStepSeconds: null,
      roundsPerLayer: null,
      balance: null,
      syncRounds: 1e6,
      frames: 1e6,
      frameBytes: 1e10,
      peakRssBytes: 2e9,
    },
    warnings: [],
  };
}
