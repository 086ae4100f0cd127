// A set of ports and links as a logical process: a network plane, or the NVLink domain of a node.
// It expands shipments, moves each parcel from link to link, and delivers it. It carries the payload and never reads it.

import { after, type Duration, type Instant, invariant, mix32 } from "@windtunnel/base";
import type { Recorder } from "@windtunnel/trace";
import type { LogicalProcess, ProcessContext, ProcessEvent } from "@windtunnel/virtual-time";
import { type LinkOverrides, LinkTable } from "./links.ts";
import { type Delivery, FABRIC_EVENTS, type Parcel, type Shipment } from "./parcels.ts";
import type { Topology } from "./topology.ts";

/** Where a parcel goes from this fabric: to its rank, or into another fabric at a port. */
export interface Exit {
  readonly process: number;
  /** Set when the process is another fabric, which takes the parcel in at one port and gives it out at the other. */
  readonly onward?: {
    readonly entryPort: number;
    readonly exitPort: number;
    /** Handed over when its head leaves, its tail still coming; otherwise when its tail leaves. */
    readonly headFirst?: true;
  };
  /** From the last link's end to there, where it is not the fabric's end latency. */
  readonly latency?: Duration;
}

export interface FabricProcessOptions {
  readonly process: number;
  readonly topology: Topology;
  readonly overrides?: LinkOverrides;
  /** From the last link's end to the target's notice. */
  readonly endLatency: Duration;
  readonly exitOf: (target: number, exitPort: number) => Exit;
  readonly recorder: Recorder;
}

/** A parcel handed over by another fabric. */
export interface Handover {
  readonly delivery: Delivery;
  readonly entryPort: number;
  readonly exitPort: number;
  /** When its tail is there, if that is later than the handover. */
  readonly tailAt?: Instant;
}

interface Moving {
  readonly parcel: Pick<Parcel, "target" | "exitPort" | "bytes" | "body">;
  readonly shipment: Pick<Shipment, "exchange" | "source" | "sentAt" | "header">;
}

export class FabricProcess implements LogicalProcess {
  readonly links: LinkTable;
  readonly #options: FabricProcessOptions;
  /** Parcels on their way, by slot; numbers in packed arrays, so that a hop makes no object. */
  readonly #moving: (Moving | undefined)[] = [];
  readonly #free: number[] = [];
  #path: (readonly number[])[] = [];
  #hop = new Uint8Array(64);
  #tailAt = new Float64Array(64);
  #queued = new Float64Array(64);
  #portQueued = new Float64Array(64);
  #transfer = new Float64Array(64);
  #slowestProcess = new Int32Array(64);
  #slowestLink = new Int32Array(64);
  #limitingQueue = new Float64Array(64);
  #limitingProcess = new Int32Array(64);
  #limitingLink = new Int32Array(64);
  /** When a parcel's tail was at its first relay; -1: it has met none. */
  #relayedAt = new Float64Array(64);
  #bytes = 0;
  #messageCount = 0;

  constructor(options: FabricProcessOptions) {
    this.#options = options;
    this.links = new LinkTable(options.topology.links, options.overrides);
  }

  /** Bytes that entered this fabric, and parcels that their senders handed to it: a handover is no message of its own. */
  get traffic(): { bytes: number; messages: number } {
    return { bytes: this.#bytes, messages: this.#messageCount };
  }

  handle(event: ProcessEvent, context: ProcessContext): void {
    switch (event.kind) {
      case FABRIC_EVENTS.shipment:
        this.#takeShipment(event.body as Shipment, context);
        break;
      case FABRIC_EVENTS.handover:
        this.#takeHandover(event.body as Handover, context);
        break;
      case FABRIC_EVENTS.hop:
        this.#enterLink(event.argument, context);
        break;
      default:
        invariant(false, `a fabric does not know event kind ${event.kind}`);
    }
  }

  #takeShipment(shipment: Shipment, context: ProcessContext): void {
    this.#messageCount += shipment.parcels.length;
    for (const parcel of shipment.parcels) {
      const slot = this.#takeSlot({ parcel, shipment }, parcel.entryPort, parcel.exitPort, context.now);
      this.#queued[slot] = 0;
      this.#portQueued[slot] = 0;
      this.#transfer[slot] = 0;
      this.#limitingQueue[slot] = 0;
      this.#relayedAt[slot] = -1;
      this.#enterLink(slot, context);
    }
  }

  #takeHandover({ delivery, entryPort, exitPort, tailAt }: Handover, context: ProcessContext): void {
    const { exchange, source, sentAt, header, target, bytes, body } = delivery;
    const moving = {
      parcel: { target, exitPort, bytes, body },
      shipment: { exchange, source, sentAt, header },
    };
    const arrivedAt = tailAt ?? context.now;
    const slot = this.#takeSlot(moving, entryPort, exitPort, arrivedAt);
    this.#queued[slot] = delivery.queued;
    this.#portQueued[slot] = delivery.portQueued;
    this.#transfer[slot] = delivery.transfer;
    this.#slowestProcess[slot] = delivery.slowestProcess;
    this.#slowestLink[slot] = delivery.slowestLink;
    this.#relayedAt[slot] = delivery.relayedAt ?? arrivedAt;
    this.#limitingQueue[slot] = delivery.limitingQueue;
    this.#limitingProcess[slot] = delivery.limitingProcess;
    this.#limitingLink[slot] = delivery.limitingLink;
    this.#enterLink(slot, context);
  }

  /** The head of a parcel is at the next link of its path. */
  #enterLink(slot: number, context: ProcessContext): void {
    const { parcel, shipment } = this.#moving[slot]!;
    const hop = this.#hop[slot]!;
    const { reroute } = this.#options.topology;
    if (hop === 1 && reroute !== undefined) this.#path[slot] = reroute(this.#path[slot]!, this.links);
    const path = this.#path[slot]!;
    const link = path[hop]!;
    const headAt = context.now;
    const start = this.links.occupy(link, parcel.bytes, headAt, this.#tailAt[slot]!);
    const end = this.links.freeAt[link]!;
    const latency = this.links.latency[link]!;
    const isPort = hop === 0 && this.#relayedAt[slot]! < 0;
    this.#note({ slot, link, isPort }, start - headAt, parcel.bytes);
    const { recorder } = this.#options;
    recorder.hop(shipment.source, parcel.target, shipment.exchange, link, headAt, start, end);
    if (hop + 1 < path.length) {
      this.#hop[slot] = hop + 1;
      this.#tailAt[slot] = end + latency;
      context.sendSelf((start + latency) as Instant, FABRIC_EVENTS.hop, slot);
    } else {
      this.#deliver(slot, (start + latency) as Instant, (end + latency) as Instant, context);
    }
  }

  /** Keeps the slowest link, and the longest wait behind others: beyond the port at which the parcel was sent. */
  #note(
    { slot, link, isPort }: { readonly slot: number; readonly link: number; readonly isPort: boolean },
    queued: number,
    bytes: number,
  ): void {
    this.#queued[slot] = this.#queued[slot]! + queued;
    if (isPort) this.#portQueued[slot] = queued;
    const transfer = this.links.transferTime(link, bytes);
    const { process } = this.#options;
    if (transfer > this.#transfer[slot]!) {
      this.#transfer[slot] = transfer;
      this.#slowestProcess[slot] = process;
      this.#slowestLink[slot] = link;
      if (this.#limitingQueue[slot] === 0) {
        this.#limitingProcess[slot] = process;
        this.#limitingLink[slot] = link;
      }
    }
    if (isPort || queued <= this.#limitingQueue[slot]!) return;
    this.#limitingQueue[slot] = queued;
    this.#limitingProcess[slot] = process;
    this.#limitingLink[slot] = link;
  }

  #deliver(slot: number, headLeftAt: Instant, leftAt: Instant, context: ProcessContext): void {
    const { parcel, shipment } = this.#moving[slot]!;
    const delivery: Delivery = {
      exchange: shipment.exchange,
      source: shipment.source,
      target: parcel.target,
      sentAt: shipment.sentAt,
      header: shipment.header,
      bytes: parcel.bytes,
      body: parcel.body,
      queued: this.#queued[slot]!,
      portQueued: this.#portQueued[slot]!,
      transfer: this.#transfer[slot]!,
      slowestProcess: this.#slowestProcess[slot]!,
      slowestLink: this.#slowestLink[slot]!,
      limitingProcess: this.#limitingProcess[slot]!,
      limitingLink: this.#limitingLink[slot]!,
      limitingQueue: this.#limitingQueue[slot]!,
      ...(this.#relayedAt[slot]! < 0 ? {} : { relayedAt: this.#relayedAt[slot] as Instant }),
    };
    this.#moving[slot] = undefined;
    this.#free.push(slot);
    const exit = this.#options.exitOf(parcel.target, parcel.exitPort);
    const { process: target, onward, latency = this.#options.endLatency } = exit;
    const time = after(leftAt, latency);
    const common = { target, sentAt: context.now, time, size: parcel.bytes };
    if (onward === undefined) {
      context.send({ ...common, kind: FABRIC_EVENTS.delivery, body: delivery });
      return;
    }
    const { entryPort, exitPort, headFirst } = onward;
    if (headFirst === undefined) {
      const body: Handover = { delivery, entryPort, exitPort };
      context.send({ ...common, kind: FABRIC_EVENTS.handover, body });
    } else {
      const body: Handover = { delivery, entryPort, exitPort, tailAt: time };
      context.send({ ...common, time: after(headLeftAt, latency), kind: FABRIC_EVENTS.handover, body });
    }
  }

  #takeSlot(moving: Moving, entryPort: number, exitPort: number, tailAt: Instant): number {
    const { topology } = this.#options;
    if (topology.carries?.(entryPort, exitPort) ?? true) this.#bytes += moving.parcel.bytes;
    const slot = this.#free.pop() ?? this.#moving.length;
    if (slot === this.#hop.length) this.#grow();
    this.#moving[slot] = moving;
    const flow = flowOf(moving.shipment.source, moving.parcel.target);
    this.#path[slot] = topology.pathOf(entryPort, exitPort, flow);
    this.#hop[slot] = 0;
    this.#tailAt[slot] = tailAt;
    return slot;
  }

  #grow(): void {
    const capacity = this.#hop.length * 2;
    const doubled = <A extends Uint8Array | Int32Array | Float64Array>(from: A, to: A): A => {
      to.set(from);
      return to;
    };
    this.#hop = doubled(this.#hop, new Uint8Array(capacity));
    this.#tailAt = doubled(this.#tailAt, new Float64Array(capacity));
    this.#queued = doubled(this.#queued, new Float64Array(capacity));
    this.#portQueued = doubled(this.#portQueued, new Float64Array(capacity));
    this.#transfer = doubled(this.#transfer, new Float64Array(capacity));
    this.#slowestProcess = doubled(this.#slowestProcess, new Int32Array(capacity));
    this.#slowestLink = doubled(this.#slowestLink, new Int32Array(capacity));
    this.#relayedAt = doubled(this.#relayedAt, new Float64Array(capacity));
    this.#limitingQueue = doubled(this.#limitingQueue, new Float64Array(capacity));
    this.#limitingProcess = doubled(this.#limitingProcess, new Int32Array(capacity));
    this.#limitingLink = doubled(this.#limitingLink, new Int32Array(capacity));
  }
}

/** One queue pair for each ordered pair of ranks. */
function flowOf(source: number, target: number): number {
  return mix32(source) ^ (target + 1);
}
