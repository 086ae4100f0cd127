// The contention model `trains` for flows: each flow is one parcel through the event-driven `FabricProcess`, whole,
// hop by hop, first in, first out. It adds nothing to that process but the ends that send and receive.
//
// The ends: a logical process needs a latency above zero to any other, so each end takes 1 ps, and 2 ps are taken
// off again when a flow is through. What is reported starts at the first link and ends after the last one.
//
// Flows of one source that start together are unordered in the file. They leave in the order of
// (target - source) modulo nodes, then of the file: an all-to-all is then the usual staggered one, in which every
// target hears from one source at a time. In the file's order all would send to node 0 first, and with whole
// parcels in first-in-first-out queues an all-to-all would take up to twice as long.

import { after, type Duration, type Instant, nanoseconds, NEVER, RUN_START } from "@windtunnel/base";
import { noRecorder } from "@windtunnel/trace";
import {
  type ClassGraph,
  EventLoop,
  type LogicalProcess,
  type ProcessContext,
  type ProcessEvent,
} from "@windtunnel/virtual-time";
import { FabricProcess } from "./fabric-process.ts";
import { type Delivery, FABRIC_EVENTS, type Parcel, type Shipment } from "./parcels.ts";
import type { PlaneFlow, PlaneFlows, PlaneOutcome } from "./plane-flows.ts";

/** One picosecond, the least that virtual time knows. */
export const FLOW_END_LATENCY: Duration = 1 as Duration;

const ENDS = 0;
const PLANE = 1;
const CLASSES: ClassGraph = {
  names: ["ends", "plane"],
  latency: [
    [undefined, FLOW_END_LATENCY],
    [FLOW_END_LATENCY, undefined],
  ],
};

/** The flows of one plane, through one logical process. Throws "time-exhausted" beyond 2^53 ps. */
export function runTrains({ topology, nodes, flows }: PlaneFlows): PlaneOutcome {
  const ends = new FlowEnds(flows, nodes);
  const plane = new FabricProcess({
    process: PLANE,
    topology,
    endLatency: FLOW_END_LATENCY,
    exitOf: () => ({ process: ENDS }),
    recorder: noRecorder,
  });
  const processes = new Map<number, LogicalProcess>([
    [ENDS, ends],
    [PLANE, plane],
  ]);
  const loop = new EventLoop({ processes, classes: CLASSES, classOf: (process) => process });
  loop.start();
  loop.advance([NEVER, NEVER]);
  return { finishNs: ends.finishNs, linkBytes: plane.links.bytes };
}

/** All sources and targets of a plane: hands the flows over at their starts, and notes when they are through. */
class FlowEnds implements LogicalProcess {
  readonly finishNs: Float64Array;
  readonly #flows: readonly PlaneFlow[];
  readonly #nodes: number;

  constructor(flows: readonly PlaneFlow[], nodes: number) {
    this.#flows = flows;
    this.#nodes = nodes;
    this.finishNs = new Float64Array(flows.length).fill(Number.NaN);
  }

  /** One shipment for all flows of a source that start together. */
  start(context: ProcessContext): void {
    const order = this.#sendingOrder();
    for (let from = 0; from < order.length;) {
      const { source, startNs } = this.#flows[order[from]!]!;
      const parcels: Parcel[] = [];
      let until = from;
      for (; until < order.length; until++) {
        const index = order[until]!;
        const flow = this.#flows[index]!;
        if (flow.source !== source || flow.startNs !== startNs) break;
        parcels.push({
          target: flow.target,
          entryPort: source,
          exitPort: flow.target,
          bytes: flow.bytes,
          body: index,
        });
      }
      const sentAt = after(RUN_START, nanoseconds(startNs));
      const body: Shipment = { exchange: 0, source, sentAt, header: undefined, parcels };
      this.#send(body, context);
      from = until;
    }
  }

  handle(event: ProcessEvent, context: ProcessContext): void {
    const { body } = event.body as Delivery;
    this.finishNs[body as number] = (context.now - 2 * FLOW_END_LATENCY) / 1e3;
  }

  #send(body: Shipment, context: ProcessContext): void {
    const { sentAt } = body;
    const time: Instant = after(sentAt, FLOW_END_LATENCY);
    context.send({ target: PLANE, kind: FABRIC_EVENTS.shipment, sentAt, time, size: 0, body });
  }

  /** By start, source, distance from source to target (cyclic), and place in the file. */
  #sendingOrder(): number[] {
    const distance = ({ source, target }: PlaneFlow): number => (target - source + this.#nodes) % this.#nodes;
    const order = this.#flows.map((_, index) => index);
    return order.sort((a, b) => {
      const [one, other] = [this.#flows[a]!, this.#flows[b]!];
      return (
        one.startNs - other.startNs || one.source - other.source || distance(one) - distance(other) || a - b
      );
    });
  }
}
