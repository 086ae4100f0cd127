// A set of ports and links as a logical process: a network plane, or the NVLink domain of a node.
// It expands shipments, moves each parcel from link to link, and delivers it. It carries the payload and never reads it.

import { checkedInstant, type Duration, type Instant, invariant, mix32, NEVER } from "@windtunnel/base";
import { noRecorder, type Recorder } from "@windtunnel/trace";
import {
  type EventDigest,
  type HandedSlot,
  type LogicalProcess,
  type OwnEvents,
  type ProcessContext,
  type ProcessEvent,
  rankOfKey,
} from "@windtunnel/virtual-time";
import { HopQueue } from "./hop-queue.ts";
import { type LinkOverrides, LinkTable } from "./links.ts";
import {
  BYTES,
  EXCHANGE,
  EXIT_PORT,
  HEAD_AT,
  HISTORY_STRIDE,
  LIMITING,
  LIMITING_QUEUE,
  linkKey,
  NEXT_LINK,
  type ParcelTable,
  PORT_QUEUED,
  QUEUED,
  RELAYED_AT,
  SLOWEST,
  SOURCE,
  STRIDE,
  TAIL_AT,
  TARGET,
  TRANSFER,
} from "./parcel-table.ts";
import { FABRIC_EVENTS, type Shipment } from "./parcels.ts";
import { END_OF_PATH, Paths } from "./paths.ts";
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
  /** Asked once for each target and port. */
  readonly exitOf: (target: number, exitPort: number) => Exit;
  readonly recorder: Recorder;
  /** The host's. */
  readonly parcels: ParcelTable;
}

/** A port and a target as one number. */
const TARGET_LIMIT = 2 ** 16;
/** Chains of handovers: what comes over a link of another fabric comes in order. */
const HANDOVER_LANES = 64;
/** The order of events of one instant: hops by their number from here on, then handovers by source and sequence. */
const FIRST_HOP = -(2 ** 52);
const SOURCE_LIMIT = 2 ** 14;
const SEQUENCE_LIMIT = 2 ** 38;

export class FabricProcess implements LogicalProcess, OwnEvents {
  readonly links: LinkTable;
  readonly #options: FabricProcessOptions;
  readonly #parcels: ParcelTable;
  readonly #paths: Paths;
  readonly #reroute: Topology["reroute"];
  /** Undefined where nothing is recorded. */
  readonly #recorder: Recorder | undefined;
  readonly #exits = new Map<number, Exit>();
  /** What is handed over next; one object for all. */
  readonly #handed: { -readonly [Key in keyof HandedSlot]: HandedSlot[Key] };
  readonly #events: HopQueue;
  readonly #hopKey: number;
  #now = 0;
  #hopCount = 0;
  #eventCount = 0;
  #bytes = 0;
  #linkEvents = 0;
  #parcelCount = 0;

  constructor(options: FabricProcessOptions) {
    const { process, topology, overrides, parcels, recorder } = options;
    invariant(process < SOURCE_LIMIT, `process ${process}: fabrics are numbered below ${SOURCE_LIMIT}`);
    this.#options = options;
    this.#parcels = parcels;
    this.#recorder = recorder === noRecorder ? undefined : recorder;
    this.#paths = new Paths(topology);
    this.#reroute = topology.reroute;
    this.links = new LinkTable(topology.links, overrides);
    this.#events = new HopQueue(HANDOVER_LANES + topology.links.length, parcels);
    this.#hopKey = rankOfKey(FABRIC_EVENTS.hop, process);
    const at = 0 as Instant;
    this.#handed = { target: 0, kind: 0, sentAt: at, time: at, size: 0, slot: 0, lane: 0 };
  }

  /**
   * Bytes that entered this fabric; parcels that their senders handed to it, since a handover is no message of its own; and
   * how often a parcel went over a link.
   */
  get traffic(): { bytes: number; messages: number; linkEvents: number } {
    return { bytes: this.#bytes, messages: this.#parcelCount, linkEvents: this.#linkEvents };
  }

  handle({ kind, body }: ProcessEvent, context: ProcessContext): void {
    invariant(
      kind === FABRIC_EVENTS.shipment,
      "a fabric is sent shipments and handed parcels, and nothing else",
    );
    this.#now = context.now;
    const shipment = body as Shipment;
    const { targets, entryPorts, exitPorts } = shipment;
    this.#parcelCount += targets.length;
    const first = this.#parcels.put(shipment, context.now);
    for (let index = 0; index < targets.length; index++) {
      this.#enter(first + index, entryPorts[index]!, exitPorts[index]!, context, true);
      // Its tail is not at its target before it has left its first link.
      const tailAt = this.#parcels.rows[(first + index) * STRIDE + TAIL_AT]!;
      context.announce(targets[index]!, shipment.exchange, tailAt);
    }
  }

  /** Its hops and what other fabrics hand over: it knows in which order they come. */
  get own(): OwnEvents {
    return this;
  }

  get count(): number {
    return this.#eventCount;
  }

  get earliestTime(): number {
    return this.#events.isEmpty ? NEVER : this.#events.earliestTime;
  }

  take(slot: number, lane: number, source: number, sequence: number): void {
    this.#events.insert(lane, slot, source * SEQUENCE_LIMIT + sequence);
  }

  runBefore(
    end: number,
    most: number,
    context: ProcessContext,
    digest: EventDigest,
    observe: Parameters<OwnEvents["runBefore"]>[4],
  ): void {
    const events = this.#events;
    for (let left = most; left > 0 && !events.isEmpty && events.earliestTime < end; left--) {
      this.#now = events.earliestTime;
      this.#eventCount++;
      const slot = events.pop();
      const order = this.#parcels.order[slot]!;
      if (order < 0) {
        digest.add(this.#now, this.#hopKey, order - FIRST_HOP, 0);
        observe?.(this.#now as Instant, this.#hopKey, order - FIRST_HOP, 0);
        if (this.#reroute !== undefined) this.#turn(slot, this.#reroute);
        this.#enterLink(slot, context, false);
      } else this.#takeHandover(slot, order, context, digest, observe);
    }
  }

  /** Whoever handed it over has written where it enters and leaves. */
  #takeHandover(
    slot: number,
    order: number,
    context: ProcessContext,
    digest: EventDigest,
    observe: Parameters<OwnEvents["runBefore"]>[4],
  ): void {
    const at = slot * STRIDE;
    const { rows } = this.#parcels;
    const key = rankOfKey(FABRIC_EVENTS.handover, Math.floor(order / SEQUENCE_LIMIT));
    const sequence = order % SEQUENCE_LIMIT;
    digest.add(this.#now, key, sequence, rows[at + BYTES]!);
    observe?.(this.#now as Instant, key, sequence, rows[at + BYTES]!);
    this.#enter(slot, rows[at + NEXT_LINK]! | 0, rows[at + EXIT_PORT]! | 0, context, false);
  }

  #enter(slot: number, entryPort: number, exitPort: number, context: ProcessContext, isPort: boolean): void {
    const at = slot * STRIDE;
    const { rows } = this.#parcels;
    const { carries, hashesFlows } = this.#options.topology;
    if (carries === undefined || carries(entryPort, exitPort)) this.#bytes += rows[at + BYTES]!;
    const flow = hashesFlows === true ? flowOf(rows[at + SOURCE]!, rows[at + TARGET]!) : 0;
    rows[at + EXIT_PORT] = exitPort;
    rows[at + NEXT_LINK] = this.#paths.begin(entryPort, exitPort, flow);
    this.#enterLink(slot, context, isPort);
  }

  /** At the second link of its path a parcel may go another way. */
  #turn(slot: number, reroute: NonNullable<Topology["reroute"]>): void {
    const at = slot * STRIDE + NEXT_LINK;
    const { rows } = this.#parcels;
    const next = rows[at]!;
    if (!this.#paths.isSecond(next)) return;
    rows[at] = this.#paths.turn(next - 1, (path) => reroute(path, this.links)) + 1;
  }

  /** The head of a parcel is at a link, now. `isPort`: the link is the port at which it was sent. */
  #enterLink(slot: number, context: ProcessContext, isPort: boolean): void {
    const at = slot * STRIDE;
    const { rows } = this.#parcels;
    const { links } = this;
    const pathLinks = this.#paths.links;
    const next = rows[at + NEXT_LINK]! | 0;
    const link = pathLinks[next]!;
    this.#linkEvents++;
    const headAt = this.#now;
    const bytes = rows[at + BYTES]!;
    const transfer = links.transferTime(link, bytes);
    const start = links.occupyFor(transfer, link, bytes, headAt, rows[at + TAIL_AT]!);
    const end = links.freeAt[link]!;
    if (this.#parcels.history !== undefined)
      this.#note(slot * HISTORY_STRIDE, link, isPort, start - headAt, transfer);
    if (this.#recorder !== undefined) {
      const [source, target, exchange] = [rows[at + SOURCE]!, rows[at + TARGET]!, rows[at + EXCHANGE]!];
      this.#recorder.hop(source, target, exchange, link, headAt, start, end);
    }
    const latency = links.latency[link]!;
    rows[at + HEAD_AT] = start + latency;
    rows[at + TAIL_AT] = end + latency;
    if (pathLinks[next + 1] === END_OF_PATH) this.#deliver(slot, link, context);
    else {
      rows[at + NEXT_LINK] = next + 1;
      this.#events.append(HANDOVER_LANES + link, slot, FIRST_HOP + this.#hopCount++);
    }
  }

  /** Keeps the slowest link, and the longest wait behind others: beyond the port at which the parcel was sent. */
  #note(at: number, link: number, isPort: boolean, queued: number, transfer: number): void {
    const history = this.#parcels.history!;
    if (transfer > history[at + TRANSFER]!) {
      const key = linkKey(this.#options.process, link);
      history[at + TRANSFER] = transfer;
      history[at + SLOWEST] = key;
      if (history[at + LIMITING_QUEUE] === 0) history[at + LIMITING] = key;
    }
    if (queued === 0) return;
    history[at + QUEUED] = history[at + QUEUED]! + queued;
    if (isPort) history[at + PORT_QUEUED] = queued;
    else if (queued > history[at + LIMITING_QUEUE]!) {
      history[at + LIMITING_QUEUE] = queued;
      history[at + LIMITING] = linkKey(this.#options.process, link);
    }
  }

  /** Its row says when its head and its tail leave its last link. */
  #deliver(slot: number, link: number, context: ProcessContext): void {
    const at = slot * STRIDE;
    const { rows, history } = this.#parcels;
    const {
      process,
      onward,
      latency = this.#options.endLatency,
    } = this.#exitOf(rows[at + TARGET]! | 0, rows[at + EXIT_PORT]! | 0);
    const time = checkedInstant(rows[at + TAIL_AT]! + latency);
    const handed = this.#handed;
    handed.target = process;
    handed.sentAt = this.#now as Instant;
    handed.size = rows[at + BYTES]!;
    handed.slot = slot;
    if (onward === undefined) {
      rows[at + HEAD_AT] = time;
      handed.kind = FABRIC_EVENTS.delivery;
      handed.time = time;
      context.handPart(handed, rows[at + EXCHANGE]!, rows[at + SOURCE]! | 0);
      return;
    }
    const headAt = onward.headFirst === true ? checkedInstant(rows[at + HEAD_AT]! + latency) : time;
    rows[at + NEXT_LINK] = onward.entryPort;
    rows[at + EXIT_PORT] = onward.exitPort;
    rows[at + TAIL_AT] = time;
    rows[at + HEAD_AT] = headAt;
    if (history !== undefined && history[slot * HISTORY_STRIDE + RELAYED_AT]! < 0)
      history[slot * HISTORY_STRIDE + RELAYED_AT] = time;
    handed.kind = FABRIC_EVENTS.handover;
    handed.time = headAt;
    handed.lane = (this.#options.process + (link >> 1)) % HANDOVER_LANES;
    context.hand(handed);
  }

  #exitOf(target: number, exitPort: number): Exit {
    const key = exitPort * TARGET_LIMIT + target;
    let exit = this.#exits.get(key);
    if (exit === undefined) {
      exit = this.#options.exitOf(target, exitPort);
      this.#exits.set(key, exit);
    }
    return exit;
  }
}

/** One queue pair for each ordered pair of ranks. */
function flowOf(source: number, target: number): number {
  return mix32(source) ^ (target + 1);
}
