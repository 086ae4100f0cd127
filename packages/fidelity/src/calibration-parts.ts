// The calibration table: figures that constants were fitted to, and how well the fit meets them.

import { type CalibrationRow, HARDWARE_PROFILES, kernelCalibrationRows } from "@windtunnel/gpu";
import { defined } from "@windtunnel/base";
import { exchangePart } from "./exchange-rows.ts";
import { linkRows } from "./link-latencies.ts";
import { CALIBRATION_EXCHANGES } from "./published-exchanges.ts";
import { comparedRow, type FidelityRow, type RowPart } from "./row.ts";

export function calibrationParts(): RowPart[] {
  return [
    linkPart(),
    ...CALIBRATION_EXCHANGES.map((exchange) => exchangePart("calibration", exchange)),
    ...kernelParts(),
  ];
}

function linkPart(): RowPart {
  const { nvlinkBytesPerSecond } = defined(HARDWARE_PROFILES.get("h800"), "h800");
  return {
    table: "calibration",
    section: "Links",
    id: "links",
    title: "64 bytes end to end in an empty network",
    command: "windtunnel validate --only links",
    rows: () => linkRows(nvlinkBytesPerSecond),
  };
}

const UNITS: Readonly<Record<CalibrationRow["unit"], string>> = { us: "µs", TFLOPS: "TFLOPS" };

/** A part for each family of kernels. */
function kernelParts(): RowPart[] {
  return [...Map.groupBy(kernelCalibrationRows(), ({ family }) => family)].map(([family, rows]) => ({
    table: "calibration",
    section: "Kernels",
    id: family,
    title: defined(rows[0], family).quantity,
    command: `windtunnel validate --only ${family}`,
    rows: () => rows.map(kernelRow),
  }));
}

function kernelRow({
  fitted,
  quantity,
  configuration,
  published,
  ours,
  unit,
  source,
}: CalibrationRow): FidelityRow {
  return comparedRow(fitted ? "fitted" : "shown", {
    quantity: `${quantity}: ${configuration}`,
    published,
    ours,
    unit: UNITS[unit],
    decimals: 1,
    source,
  });
}
