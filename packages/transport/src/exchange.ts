// What every transport offers: rounds in which each host gives each other one value and gets one from each.

export interface ExchangeTraffic {
  readonly frames: number;
  /** Bytes of all frames sent, headers included. */
  readonly frameBytes: number;
}

export interface ValueExchange<Value> {
  readonly self: number;
  readonly hostCount: number;
  /** Processor time, in microseconds, that it has spent waiting so far; absent: none. */
  readonly spunTime?: number;
  /** Gives values[h] to each other host h; the result holds what each gave, own entry undefined. */
  swap(values: readonly Value[]): readonly (Value | undefined)[] | Promise<readonly (Value | undefined)[]>;
  readonly traffic: ExchangeTraffic;
}

/** The exchange of a run with a single host. */
export function createLoneExchange<Value>(): ValueExchange<Value> {
  return { self: 0, hostCount: 1, swap: () => [undefined], traffic: { frames: 0, frameBytes: 0 } };
}
