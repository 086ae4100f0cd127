// A row of the fidelity tables: a published figure beside ours. It does not know where either comes from.

export type TableName = "calibration" | "identity" | "prediction";

/** `fitted`: constants were fitted to it; `exact`: must agree to the printed digits; `gated`: a prediction under a gate. */
export type Judged = "fitted" | "exact" | "gated" | "shown";

export interface FidelityRow {
  readonly quantity: string;
  /** Text where a row compares a list or a yes and no. */
  readonly published: number | string;
  readonly ours: number | string;
  readonly unit: string;
  /** Of ours, as it is printed. */
  readonly decimals: number;
  readonly judged: Judged;
  /** Ours over published, minus 1; of a published range 0 inside, otherwise from its nearer end; null for text. */
  readonly error: number | null;
  /** Null where a row need not be exact. */
  readonly isExact: boolean | null;
  readonly source: string;
  /** Why it misses, or what the publication leaves open. */
  readonly note?: string;
}

/** Rows that are made together and that one command reproduces. */
export interface RowPart {
  readonly table: TableName;
  /** Parts of one section stand in one table of the document. */
  readonly section: string;
  /** What `validate --only` calls it: "P2", "I3", "mla-decode". */
  readonly id: string;
  readonly title: string;
  readonly command: string;
  readonly rows: () => readonly FidelityRow[] | Promise<readonly FidelityRow[]>;
}

interface Compared {
  readonly quantity: string;
  readonly published: number;
  readonly ours: number;
  readonly unit: string;
  readonly decimals: number;
  readonly source: string;
  readonly note?: string | undefined;
}

export function comparedRow(judged: "fitted" | "gated" | "shown", row: Compared): FidelityRow {
  const { note, ...rest } = row;
  const error = row.ours / row.published - 1;
  return { ...rest, judged, error, isExact: null, ...(note === undefined ? {} : { note }) };
}

/** Where a range was published. It is shown: what lies inside says nothing of how far off it is. */
export function rangeRow(
  row: Omit<Compared, "published"> & { readonly range: readonly [number, number] },
): FidelityRow {
  const { range, note, ...rest } = row;
  const [least, most] = range;
  const nearest = Math.min(Math.max(row.ours, least), most);
  return {
    ...rest,
    published: `${least} to ${most}${row.unit === "" ? "" : ` ${row.unit}`}`,
    judged: "shown",
    error: row.ours / nearest - 1,
    isExact: null,
    ...(note === undefined ? {} : { note }),
  };
}

/** How the publication rounded what it printed. */
export type Printed = (value: number) => number;

export function toDecimals(decimals: number): Printed {
  return (value) => Number(value.toFixed(decimals));
}

/** Exact if ours, rounded as the publication rounds, is what it printed. */
export function exactRow(row: Compared, printed: Printed = toDecimals(row.decimals)): FidelityRow {
  const isExact = printed(row.ours) === row.published;
  return { ...comparedRow("shown", row), judged: "exact", isExact };
}

export function exactText(row: Pick<FidelityRow, "quantity" | "source" | "note"> & Texts): FidelityRow {
  const isExact = row.ours === row.published;
  return { ...row, unit: "", decimals: 0, judged: "exact", error: null, isExact };
}

interface Texts {
  readonly published: string;
  readonly ours: string;
}
