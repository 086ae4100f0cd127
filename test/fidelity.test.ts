// The parts of the fidelity tables that take no time: they must say what `docs/fidelity.md` says. The others are in
// `fidelity.long.test.ts`.

import { readFileSync } from "node:fs";
import {
  type ComputedPart,
  computeFidelity,
  errorText,
  fidelityParts,
  NOISE_FLOOR,
  oursText,
} from "@windtunnel/fidelity";
import { beforeAll, describe, expect, test } from "vitest";

const PAGE = readFileSync(new URL("../docs/fidelity.md", import.meta.url), "utf8");

/** Runs of many ranks or many tokens, and of steps. */
const SLOW = new Set(
  "N32 P4 N64 LL128 LL256 RDMA128 RDMA256 P8 P9 P11 P12 P13 T1 T2 T3 T4 T5 T6 T8 T9 break-even".split(" "),
);

const quick = fidelityParts()
  .filter(({ id }) => !SLOW.has(id))
  .map(({ id }) => id);

async function partOf(id: string): Promise<ComputedPart> {
  const { tables } = await computeFidelity({ only: id });
  return [...tables.calibration, ...tables.identity, ...tables.prediction][0]!;
}

describe.each(quick)("the part %s", (id) => {
  let part: ComputedPart;
  beforeAll(async () => {
    part = await partOf(id);
  });

  test("stands in docs/fidelity.md (if not: windtunnel validate --write docs/fidelity.md)", () => {
    const { rows, command } = part;
    for (const row of rows) {
      const cells = [oursText(row), errorText(row), `\`${command}\``];
      const line = PAGE.split("\n").find((text) => text.startsWith(`| ${id} | ${row.quantity} |`));
      expect(line, row.quantity).toContain(` | ${cells.join(" | ")} |`);
    }
  });

  test("is exact where it must be, and says why it errs beyond the noise where it predicts", () => {
    const { rows, table } = part;
    for (const { quantity, judged, isExact, error, note } of rows) {
      expect(isExact, quantity).toBe(judged === "exact" ? true : null);
      if (table === "prediction" && Math.abs(error ?? 0) > NOISE_FLOOR[1])
        expect(note, quantity).toBeDefined();
    }
  });
});

describe("the identity table", () => {
  test("is exact in everything but what a publication leaves open", async () => {
    const rowsOf = async (id: string): Promise<readonly string[]> =>
      (await partOf(id)).rows.map(({ judged }) => judged);
    for (const id of ["I1", "I3", "I4", "I6", "I8", "I9"])
      expect(new Set(await rowsOf(id))).toEqual(new Set(["exact"]));
    expect((await rowsOf("I5")).filter((judged) => judged === "exact")).toHaveLength(15);
    for (const id of ["I2", "I7"]) expect(new Set(await rowsOf(id))).toEqual(new Set(["shown"]));
  });
});

describe("the calibration", () => {
  test("meets the 64-byte figures but for the time of 64 bytes", async () => {
    for (const { published, ours } of (await partOf("links")).rows) {
      const beyond = Number(ours) - Number(published);
      // 64 bytes at 50 GB/s take 1.28 ns; at 160 GB/s 0.4 ns.
      expect(beyond).toBeGreaterThan(0);
      expect(beyond).toBeLessThan(0.0013);
    }
  });

  test.each(["LL16", "LL32", "N8"])("meets %s within the noise of the figures", async (id) => {
    for (const { error } of (await partOf(id)).rows) expect(Math.abs(error!)).toBeLessThan(NOISE_FLOOR[0]);
  });
});
