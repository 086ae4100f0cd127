// The order in which a schedule may issue a micro-batch's operations, kept as it goes: a schedule that leaves one out,
// repeats one or issues one before what it needs is told so by name, and not by a wrong result. It knows no costs.

import { shownValue, WorldError } from "@windtunnel/base";

/** Operations of an MoE layer in the order in which they depend on each other; `shared` needs `attention1` alone. */
const CHAIN = [
  "attention0",
  "attention1",
  "sendDispatch",
  "receiveDispatch",
  "mlp",
  "sendCombine",
  "receiveCombine",
] as const;
export type MicroBatchOperation = (typeof CHAIN)[number] | "shared";

export class MicroBatchOrder {
  readonly #schedule: string;
  readonly #microBatch: number;
  readonly #layers: readonly number[];
  /** Place in `layers` of the layer that is under way, its operations of the chain that are issued, and its shared one. */
  #index = 0;
  #issued = 0;
  #isSharedIssued = false;

  /** `layers`: numbers of the MoE layers, in their order. */
  constructor(schedule: string, microBatch: number, layers: readonly number[]) {
    this.#schedule = schedule;
    this.#microBatch = microBatch;
    this.#layers = layers;
  }

  /** Takes note of an operation; refuses it where it may not be issued now. */
  issue(operation: MicroBatchOperation, layer: number): void {
    const current = this.#layers[this.#index];
    if (!this.#layers.includes(layer))
      this.#refuse(operation, layer, "there is no such layer among `layers`");
    if (layer !== current) {
      const due = current === undefined ? "all layers are done" : `${this.#due()} of layer ${current} is due`;
      this.#refuse(operation, layer, due);
    }
    if (operation === "shared") {
      if (this.#isSharedIssued) this.#refuse(operation, layer, "it was issued before");
      if (this.#issued < CHAIN.indexOf("sendDispatch")) this.#refuse(operation, layer, "it needs attention1");
      this.#isSharedIssued = true;
    } else {
      if (operation !== CHAIN[this.#issued]) this.#refuse(operation, layer, `${this.#due()} is due`);
      this.#issued++;
    }
    if (this.#issued < CHAIN.length || !this.#isSharedIssued) return;
    this.#index++;
    this.#issued = 0;
    this.#isSharedIssued = false;
  }

  /** All operations of all layers are issued. */
  checkComplete(): void {
    const layer = this.#layers[this.#index];
    if (layer === undefined) return;
    throw this.#error(`ends without ${this.#due()} of layer ${layer}`);
  }

  /** What a schedule's file says of what follows may be anything. */
  checkFollowedBy(followedBy: unknown, operation: MicroBatchOperation, layer: number): void {
    if (followedBy === "report" || Array.isArray(followedBy)) return;
    const found = shownValue(followedBy);
    this.#refuse(
      operation,
      layer,
      `it is followed by ${found}; batch.least and "report" say what may follow`,
    );
  }

  /** The other part of a prompt comes first; a schedule says which micro-batch gets it. */
  refuseCut(layer: number): never {
    throw this.#error(
      `issues attention of the second part of a prompt in layer ${layer} before attention0 of the first part; ` +
        "`leading` names the micro-batch whose attention comes first",
    );
  }

  #due(): string {
    return CHAIN[this.#issued] ?? "shared";
  }

  #refuse(operation: MicroBatchOperation, layer: number, why: string): never {
    throw this.#error(`issues ${operation} of layer ${layer}: ${why}`);
  }

  #error(what: string): WorldError {
    return new WorldError(
      "schedule",
      `schedule ${this.#schedule} ${what} (micro-batch ${this.#microBatch})`,
      {
        next: "docs/schedules.md says what a schedule must issue, and in which order",
      },
    );
  }
}
