// What is said when a NaN or an infinity reached a tensor: which tensor, where, and the value.

import { WorldError } from "@windtunnel/base";
import { rowSize, type Tensor } from "./tensor.ts";

/** Throws a WorldError "numerics" at the first element that is NaN or infinite; returns when there is none. */
export function throwAtNonFinite(x: Tensor, what: string): void {
  const index = x.data.findIndex((value) => !Number.isFinite(value));
  if (index === -1) return;
  const row = Math.floor(index / rowSize(x));
  const column = index % rowSize(x);
  const value = String(x.data[index]);
  throw new WorldError("numerics", `${what} holds ${value} in row ${row}, column ${column}`, {
    what,
    row,
    column,
    value,
  });
}
