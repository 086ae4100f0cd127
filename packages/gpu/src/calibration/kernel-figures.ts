// The published times of kernels that the cost model is fitted to, each with the operation that it measures. The
// numbers stand in `kernel-figures.json`: a family for each line of the publication, its rows under `columns`.

import { invariant } from "@windtunnel/base";
import { absorbedAttention, expandedAttention, type HeadShape } from "../attention-costs.ts";
import type { OperationCost, RowSpread } from "../cost-model.ts";
import {
  copyKernel,
  indexKernels,
  matrixProduct,
  memoryKernel,
  quantization,
  rowKernel,
  type WeightPrecision,
} from "../kernel-costs.ts";
import type { CalibrationRow } from "./calibration-step.ts";
import figures from "./kernel-figures.json" with { type: "json" };

export interface KernelFigure extends Omit<CalibrationRow, "ours"> {
  readonly cost: OperationCost;
  readonly sms: number;
  /** Relative error that the figure itself may have; weighs it in the fit. */
  readonly tolerance: number;
}

/** Where a figure says nothing else: two teams with the same kernel differ by 3 to 5 %. */
const NOISE = 0.03;

/** MLA of DeepSeek-V3. Absorbed: cached vectors of 512 + 64 channels; expanded: keys of 128 + 64, values of 128. */
const ABSORBED: HeadShape = { heads: 128, keySize: 576, valueSize: 512 };
const EXPANDED: HeadShape = { heads: 128, keySize: 192, valueSize: 128 };

export function kernelFigures(): KernelFigure[] {
  return figures.families.flatMap(({ columns, rows, ...shared }) =>
    rows.map((row): KernelFigure => {
      invariant(row.length === columns.length, `a row of ${shared.id} has ${row.length} values`);
      const own = Object.fromEntries(columns.map((column, index) => [column, row[index]]));
      return figureOf(new Values({ ...shared, ...own }));
    }),
  );
}

/** A row with what its family says of all rows. */
class Values {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  number(name: string, otherwise?: number): number {
    const value = this.#values[name] ?? otherwise;
    invariant(typeof value === "number", `${name} of ${this.text("id")} is not a number`);
    return value;
  }

  text(name: string): string {
    const value = this.#values[name];
    invariant(typeof value === "string", `${name} is not a text`);
    return value;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  get fitted(): boolean {
    return this.#values["fitted"] === true;
  }
}

function figureOf(values: Values): KernelFigure {
  const family = values.text("id");
  const { cost, configuration } = measured(values);
  return {
    id: `${family}: ${configuration}`,
    family,
    quantity: values.text("quantity"),
    configuration,
    published: values.number("published"),
    unit: values.text("unit") === "us" ? "us" : "TFLOPS",
    source: values.text("source"),
    fitted: values.fitted,
    cost,
    sms: values.number("sms"),
    tolerance: values.number("tolerance", NOISE),
  };
}

interface Measured {
  readonly cost: OperationCost;
  readonly configuration: string;
}

function measured(values: Values): Measured {
  const kernel = values.text("kernel");
  switch (kernel) {
    case "absorbed": {
      const [requests, contextPositions] = [values.number("requests"), values.number("context")];
      const each = (value: number): number[] => Array.from({ length: requests }, () => value);
      const load = { newPositions: each(1), contextPositions: each(contextPositions) };
      return { cost: absorbedAttention(ABSORBED, load), configuration: `${requests} at ${contextPositions}` };
    }
    case "expanded": {
      const positions = values.number("positions");
      const load = { newPositions: [positions], contextPositions: [positions] };
      return { cost: expandedAttention(EXPANDED, load), configuration: `${positions} positions` };
    }
    case "product":
      return measuredProduct(values);
    case "copy":
      return { cost: copyKernel(values.number("bytes")), configuration: values.text("name") };
    case "cast":
      return {
        cost: quantization(values.number("rows") * values.number("channels")),
        configuration: values.text("name"),
      };
    case "index":
      return { cost: indexKernels(values.number("rows")), configuration: values.text("name") };
    case "stream":
      return { cost: memoryKernel(values.number("bytes")), configuration: values.text("name") };
    default: {
      invariant(kernel === "rows", `no kernel is called ${kernel}`);
      const cost = rowKernel(values.number("rows"), values.number("elements"));
      return { cost, configuration: values.text("name") };
    }
  }
}

function measuredProduct(values: Values): Measured {
  const [rows, inputs, outputs] = [values.number("rows"), values.number("inputs"), values.number("outputs")];
  const matrices = values.number("matrices");
  const precision = values.text("precision") as WeightPrecision;
  const spread = values.text("spread") as RowSpread;
  const shape = `${rows}×${inputs}×${outputs}${matrices === 1 ? "" : `, ${matrices} matrices`}`;
  return {
    cost: matrixProduct(rows, inputs, outputs, precision, matrices, spread),
    configuration: values.has("name") ? `${values.text("name")} ${shape}` : shape,
  };
}
