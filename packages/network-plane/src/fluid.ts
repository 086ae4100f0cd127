// The contention model `fluid`: flows are fluids that share links max-min fairly, event by event; an event is a flow
// that begins or ends. An analysis model and a pure function: time is floating-point nanoseconds here, not the
// event loop's integer picoseconds, and nothing depends on anything but the arguments, so equal arguments give
// equal bits. It knows no packets, queues or slow start.
// Invariant: a flow takes bandwidth from its `activeAtNs` until its bytes are through, and ends at that instant.

import { invariant } from "@windtunnel/base";
import { MaxMinRates } from "./max-min-rates.ts";
import type { PlaneFlows, PlaneOutcome } from "./plane-flows.ts";

export interface FluidFlow {
  /** Numbers of its links. */
  readonly path: readonly number[];
  readonly bytes: number;
  /** When it begins to take bandwidth: its start and the latency of its path. */
  readonly activeAtNs: number;
}

/** Sees the rates of all flows, in bytes per nanosecond, from an instant up to the next call. */
export type RatesObserver = (atNs: number, rates: Float64Array) => void;

/**
 * Flows that end within this of each other end in one event; each keeps the instant that was computed for it.
 * Without it, rounding would tear a thousand equal flows into a thousand events.
 */
const SAME_INSTANT_NS = 1e-6;
const SAME_INSTANT_FRACTION = 1e-13;

/**
 * The fluid model of one plane; its links carry the bytes of their flows, by definition. A flow stays on its path:
 * `reroute` of a topology is about the moment at which a train's head is at a link, and fluids have none.
 */
export function runFluid({ topology, flows }: PlaneFlows): PlaneOutcome {
  const { links } = topology;
  const linkBytes = new Float64Array(links.length);
  const fluidFlows = flows.map(({ path, bytes, startNs }): FluidFlow => {
    let activeAtNs = startNs;
    for (const link of path) {
      activeAtNs += links[link]!.latency / 1e3;
      linkBytes[link] = linkBytes[link]! + bytes;
    }
    return { path, bytes, activeAtNs };
  });
  const capacities = links.map(({ bytesPerSecond }) => bytesPerSecond / 1e9);
  return { finishNs: fluidFinishTimes(capacities, fluidFlows), linkBytes };
}

/**
 * When each flow ends, in nanoseconds. `linkBytesPerNs`: the capacity of each link.
 * One update of the rates for each event; see `MaxMinRates` for its cost.
 */
export function fluidFinishTimes(
  linkBytesPerNs: readonly number[],
  flows: readonly FluidFlow[],
  observe?: RatesObserver,
): Float64Array {
  const shares = new MaxMinRates(
    linkBytesPerNs,
    flows.map(({ path }) => path),
  );
  const beginning = flows.map((_, flow) => flow);
  beginning.sort((a, b) => flows[a]!.activeAtNs - flows[b]!.activeAtNs || a - b);
  const finishNs = new Float64Array(flows.length).fill(Number.POSITIVE_INFINITY);
  const bytesLeft = Float64Array.from(flows, ({ bytes }) => bytes);
  /** The rate of each flow since an instant, at which `bytesLeft` holds. */
  const rates = new Float64Array(flows.length);
  const sinceNs = new Float64Array(flows.length);
  const active = new Int32Array(flows.length);
  let activeCount = 0;
  let begun = 0;
  while (begun < flows.length || activeCount > 0) {
    let nowNs = begun < flows.length ? flows[beginning[begun]!]!.activeAtNs : Number.POSITIVE_INFINITY;
    for (let i = 0; i < activeCount; i++) nowNs = Math.min(nowNs, finishNs[active[i]!]!);
    invariant(Number.isFinite(nowNs), "flows are active and none of them ends");
    const endsUntilNs = nowNs + Math.max(SAME_INSTANT_NS, nowNs * SAME_INSTANT_FRACTION);
    let stillActive = 0;
    for (let i = 0; i < activeCount; i++) {
      const flow = active[i]!;
      if (finishNs[flow]! <= endsUntilNs) shares.remove(flow);
      else active[stillActive++] = flow;
    }
    activeCount = stillActive;
    for (; begun < flows.length && flows[beginning[begun]!]!.activeAtNs === nowNs; begun++) {
      const flow = beginning[begun]!;
      shares.add(flow);
      active[activeCount++] = flow;
    }
    for (const flow of shares.update()) {
      // A flow that began just now had no rate and loses nothing here.
      const carried = rates[flow]! * (nowNs - sinceNs[flow]!);
      const left = Math.max(0, bytesLeft[flow]! - carried);
      const rate = shares.rates[flow]!;
      bytesLeft[flow] = left;
      rates[flow] = rate;
      sinceNs[flow] = nowNs;
      finishNs[flow] = nowNs + left / rate;
    }
    observe?.(nowNs, shares.rates);
  }
  return finishNs;
}
