import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRecording, type Recording } from "./recording-reader.ts";
import { SPAN_NAMES } from "./records.ts";
import { describeSpans, type SpanDescription } from "./span-descriptions.ts";
import { stageOf } from "./span-names.ts";
import { recordedRun, SMALL_RUN, temporaryFolder } from "./test-recordings.ts";

let folder = "";
let recording: Recording;
beforeAll(() => {
  folder = temporaryFolder();
  recording = openRecording(recordedRun(SMALL_RUN, { folder }).file);
});
afterAll(() => {
  recording.close();
  rmSync(folder, { recursive: true });
});

const byId = (spans: Iterable<SpanDescription>): SpanDescription[] =>
  [...spans].sort((a, b) => (a.span < b.span ? -1 : 1));

describe("spans of some ranks and steps", () => {
  test("are those of everything, less what belongs to others, and lead to nothing that is missing", () => {
    const selection = { ranks: new Set([1, 3]), steps: new Set([0, 2]) };
    const some = byId(describeSpans(recording, selection));
    const has = (selected: ReadonlySet<number>, number: string | number | undefined): boolean =>
      number === undefined || selected.has(Number(number));
    const expected = byId(describeSpans(recording)).filter(
      ({ attributes }) =>
        has(selection.ranks, attributes["windtunnel.rank"]) &&
        has(selection.steps, attributes["windtunnel.step"]),
    );
    const known = new Set(expected.map(({ trace, span }) => `${trace} ${span}`));
    for (const { trace, parent } of expected) {
      if (parent !== undefined) expect(known).toContain(`${trace} ${parent}`);
    }
    const isKnown = ({ trace, span }: { trace: string; span: string }): boolean =>
      known.has(`${trace} ${span}`);
    expect(some).toEqual(expected.map((span) => ({ ...span, links: span.links.filter(isKnown) })));
    // A step links to its part in each of two requests, of four that there are.
    const steps = some.filter(({ name }) => name === "step");
    expect(steps.map(({ links }) => links.length)).toEqual([2, 2]);
    expect(some.filter(({ name }) => name === "request").length).toBe(2);
  });
});

describe("attributes", () => {
  test("tell of operations their stage, rows, the time that buffers held them, and what freed those", () => {
    const changed = Object.assign(Object.create(recording) as Recording, {
      header: recording.header,
      *records(process: number) {
        for (const record of recording.records(process)) {
          if (record.type === "span" && record.name === "combine.send") {
            const end = record.start + 2_000_000;
            yield { ...record, end, held: 1_500_000, rows: 0, cause: { kind: "buffer", span: 7 } };
          } else if (record.type === "message") {
            yield { ...record, queued: 3_000_000, portQueued: 2_500_000, relayed: 500_000, slowestLink: 1 };
          } else yield record;
        }
      },
    });
    const spans = [...describeSpans(changed)];
    const attributesOf = (name: string): SpanDescription["attributes"] =>
      spans.find((span) => span.name === name)!.attributes;
    const gate = attributesOf("gate");
    expect(gate).toMatchObject({
      "windtunnel.stage": "attention",
      "windtunnel.micro_batch": 0,
      "windtunnel.rows": 16,
    });
    expect(Object.keys(gate)).not.toContain("windtunnel.held_us");
    expect(Object.keys(attributesOf("embed"))).not.toContain("windtunnel.stage");
    const held = attributesOf("combine.send");
    expect(held).toMatchObject({
      "windtunnel.stage": "combine",
      "windtunnel.held_us": 1.5,
      "windtunnel.cause": "buffer",
      "windtunnel.cause.span": 7,
    });
    expect(Object.keys(held)).not.toContain("windtunnel.rows");
    expect(attributesOf("dispatch.transfer")).toMatchObject({
      "windtunnel.stage": "dispatch",
      "windtunnel.last.queued_us": 3,
      "windtunnel.last.port_queued_us": 2.5,
      "windtunnel.last.relayed_us": 0.5,
      "windtunnel.slowest_link": expect.stringMatching(/^plane [01] \/ "down"$/),
    });
  });

  test("have a stage for every operation of a micro-batch in a layer", () => {
    const without = SPAN_NAMES.filter((name) => stageOf(name) === undefined);
    expect(without).toEqual(["embed", "head", "host.wait"]);
  });
});
