import { Payload, RandomStream, WorldError } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { decodeFrame, encodeFrame, HEADER_BYTES, Ring, ringBytes } from "./index.ts";

const ends = { from: 3, to: 8, number: 5 };

function join(pieces: readonly Uint8Array[]): { header: Uint8Array; body: Uint8Array } {
  const bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  return { header: bytes.slice(0, HEADER_BYTES), body: bytes.slice(HEADER_BYTES) };
}

const value = {
  round: 5,
  bounds: [Number.POSITIVE_INFINITY, 2 ** 52, 0.5],
  counts: Int32Array.of(1, -2, 3),
  nothing: undefined,
  events: [
    { body: { rows: new Payload(Uint8Array.of(1, 2, 3)), empty: new Payload(new Uint8Array()) } },
    { body: new Payload(new Uint8Array(1000).fill(7)) },
  ],
};

describe("a frame", () => {
  test("gives back the value, its typed arrays and its payloads, aligned to eight bytes", () => {
    const { header, body } = join(encodeFrame(ends, value));
    const decoded = decodeFrame(header, body, ends) as typeof value;
    expect(decoded).toEqual(value);
    const payload = decoded.events[1]!.body as Payload;
    expect(payload.bytes.byteOffset % 8).toBe(0);
    expect(payload.bytes.buffer).toBe(body.buffer);
  });

  test("refers to payloads without copying them", () => {
    const payload = new Uint8Array(64);
    expect(encodeFrame(ends, new Payload(payload))).toContain(payload);
  });

  test("with any single byte changed is refused, and the error names both ends", () => {
    const { header, body } = join(encodeFrame(ends, value));
    const random = new RandomStream(9, "damage");
    for (let i = 0; i < 300; i++) {
      const inHeader = i < HEADER_BYTES;
      const at = inHeader ? i : random.below(body.length);
      const damagedHeader = header.slice();
      const damagedBody = body.slice();
      const bytes = inHeader ? damagedHeader : damagedBody;
      bytes[at] = bytes[at]! ^ (1 + random.below(255));
      const decode = (): unknown => decodeFrame(damagedHeader, damagedBody, ends);
      expect(decode).toThrow(WorldError);
      expect(decode).toThrow(/frame 5 from host 3 to host 8 is damaged/);
    }
    expect(() => decodeFrame(header, body.slice(8), ends)).toThrow(/bytes/);
    expect(() => decodeFrame(header, body, { ...ends, number: 6 })).toThrow(/it is frame 5/);
  });
});

describe("a ring", () => {
  test("gives the bytes in order across its end, and takes no more than fits", () => {
    const ring = new Ring(new SharedArrayBuffer(ringBytes(16)), 0, 16);
    const random = new RandomStream(1, "ring");
    let next = 0;
    let expected = 0;
    for (let i = 0; i < 1000; i++) {
      const source = Uint8Array.from({ length: random.below(20) }, (_, j) => (next + j) % 251);
      const written = ring.write(source);
      expect(written).toBe(Math.min(source.length, 16 - (next - expected)));
      next += written;
      const target = new Uint8Array(random.below(20));
      const read = ring.read(target);
      for (let j = 0; j < read; j++) expect(target[j]).toBe((expected + j) % 251);
      expected += read;
    }
    expect(expected).toBeGreaterThan(1000);
  });
});
