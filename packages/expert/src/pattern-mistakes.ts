// What a pattern may ask for wrongly: ranks that are not there, and more SMs than it declares. Each function gives the
// mistake as the end of a sentence that begins with the pattern's name, or nothing.

import type { CostSequence, OperationCost } from "@windtunnel/gpu";
import { COMMUNICATION_SPANS, type Phase, type StreamName, STREAMS } from "@windtunnel/trace";
import type { Kernel, Receiving, Sending } from "./exchange-terms.ts";
import type { Unit } from "./unit.ts";

/** A user's file may be JavaScript, or not be checked: what it gives is looked at before it is used. */
export function mistakeInKernel(
  { name, cost, after, stream }: Partial<Kernel>,
  phase: Phase,
): string | undefined {
  const names: readonly string[] = COMMUNICATION_SPANS.filter((each) => each.startsWith(`${phase}.`));
  if (name === undefined || !names.includes(name)) {
    return `issues a kernel called ${shown(name)}; in ${phase} traces know ${names.join(", ")}`;
  }
  if (stream !== undefined && !STREAMS.includes(stream)) {
    return `issues ${name} on stream ${shown(stream)}; there are ${STREAMS.join(", ")}`;
  }
  if (!isCostSequence(cost)) {
    return `issues ${name} with a cost that is none; copyCost(bytes) gives one`;
  }
  if (!Array.isArray(after) || !(after as unknown[]).every(isDependency)) {
    return `issues ${name} after something that is no array of kernels, waits or steps' dependencies`;
  }
  return undefined;
}

export function mistakeInSending({ after, messages }: Partial<Sending<unknown>>): string | undefined {
  if (!isDependency(after)) return "sends messages without `after`, the kernel that made them";
  return Array.isArray(messages) ? undefined : "sends messages that are no array of { to, bytes, content }";
}

export function mistakeInBytes(what: string, bytes: unknown): string | undefined {
  if (typeof bytes === "number" && Number.isFinite(bytes) && bytes >= 0) return undefined;
  return `${what} ${shown(bytes)} bytes`;
}

export function isCostSequence(value: unknown): value is CostSequence {
  return Array.isArray(value) && (value as unknown[]).every(isCost);
}

function isCost(value: unknown): boolean {
  const { bytes } = (value ?? {}) as Partial<OperationCost>;
  return bytes !== undefined && bytes >= 0 && Number.isFinite(bytes);
}

function isDependency(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { at?: unknown }).at === "number";
}

function shown(value: unknown): string {
  return typeof value === "string" ? `"${value}"` : String(value);
}

export function mistakeInTarget({ rank, ranks, degree }: Unit, to: number): string | undefined {
  if (to === rank) return `sends a message from rank ${ranks[rank]!} to itself; it can keep what it has`;
  return ranks[to] === undefined ? `sends to rank ${to} of a unit of ${degree} ranks` : undefined;
}

export function mistakeInSources({ rank, ranks, degree }: Unit, from: readonly number[]): string | undefined {
  if (from.includes(rank)) return `lets rank ${ranks[rank]!} wait for a message of its own`;
  const strange = from.find((each) => ranks[each] === undefined);
  if (strange !== undefined) return `waits for rank ${strange} of a unit of ${degree} ranks`;
  if (new Set(from).size === from.length) return undefined;
  return `waits twice for one message, from ranks ${from.map((each) => ranks[each]!).join(", ")}`;
}

export function mistakeInFirstTargets(
  { rank, ranks, degree }: Unit,
  to: Receiving["to"],
  leastBeyond: Receiving["leastBeyond"],
): string | undefined {
  if (to === undefined)
    return (
      leastBeyond &&
      "promises kernels before it sends to others (`leastBeyond`), and not to whom it sends first (`to`)"
    );
  if (to.includes(rank)) return `promises to send to rank ${ranks[rank]!}, which is itself`;
  const strange = to.find((each) => ranks[each] === undefined);
  return strange === undefined
    ? undefined
    : `promises to send to rank ${strange} of a unit of ${degree} ranks`;
}

/** Of a pattern that declares to send along rails. */
export function mistakeInRail(unit: Unit, to: number): string | undefined {
  const { rank, ranks } = unit;
  const [home, node] = [unit.nodeOf(rank), unit.nodeOf(to)];
  if (node === home || unit.relayOf(rank, node) === to || unit.relayOf(to, home) === rank) return undefined;
  return `declares to send along rails (\`alongRails\`) and sends to rank ${ranks[to]!}, which is on another rail of another node`;
}

/** Computing kernels get what a pattern does not declare, so its streams together may hold no more than that. */
export class StreamShares {
  readonly #declared: number | null;
  readonly #own: StreamName;
  /** The most SMs of a kernel, by stream. */
  readonly #held = new Map<StreamName, number>();

  constructor(declared: number | null, own: StreamName) {
    this.#declared = declared;
    this.#own = own;
  }

  mistakeIn(stream: StreamName, share: number | null): string | undefined {
    if (this.#declared === null) {
      if (stream === this.#own) return undefined;
      return `declares no SMs, so its kernels take the whole GPU and none may run on stream ${stream}`;
    }
    if (share === null || share <= (this.#held.get(stream) ?? 0)) return undefined;
    this.#held.set(stream, share);
    const total = [...this.#held.values()].reduce((sum, each) => sum + each, 0);
    if (total <= this.#declared) return undefined;
    const streams = [...this.#held].map(([name, each]) => `${each} on stream ${name}`).join(" and ");
    return `declares ${this.#declared} SMs and may hold ${total}: ${streams}`;
  }
}
