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
import { type Exit, Exits, HANDING, HANDINGS, LATENCY, ONWARD_ENTRY, ONWARD_EXIT, PROCESS } from "./exits.ts";
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
  ORDER,
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
  WORDS,
} from "./parcel-table.ts";
import { FABRIC_EVENTS, type Shipment } from "./parcels.ts";
import { END_OF_PATH, Paths } from "./paths.ts";
import { SlotStreams } from "./slots.ts";
import type { Topology } from "./topology.ts";

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
  readonly #exits: Exits;
  readonly #streams = new SlotStreams();
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
    const { process, topology, overrides, parcels, recorder, exitOf, endLatency } = options;
    invariant(process < SOURCE_LIMIT, `process ${process}: fabrics are numbered below ${SOURCE_LIMIT}`);
    this.#options = options;
    this.#parcels = parcels;
    this.#recorder = recorder === noRecorder ? undefined : recorder;
    this.#paths = new Paths(topology);
    this.#exits = new Exits(exitOf, endLatency);
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
    const slots = this.#parcels.put(shipment, context.now, this.#streams);
    for (let index = 0; index < targets.length; index++) {
      const slot = slots[index]!;
      this.#enter(slot, entryPorts[index]!, exitPorts[index]!, context, true);
      // Its tail is not at its target before it has left its first link.
      const tailAt = this.#parcels.rows[slot * STRIDE + TAIL_AT]!;
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
    this.#parcels.rows[slot * STRIDE + ORDER] = source * SEQUENCE_LIMIT + sequence;
    this.#events.insert(lane, slot);
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
      const order = this.#parcels.rows[slot * STRIDE + ORDER]!;
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
    const { rows, words } = this.#parcels;
    const source = Math.floor(order / SEQUENCE_LIMIT);
    const key = rankOfKey(FABRIC_EVENTS.handover, source);
    const sequence = order - source * SEQUENCE_LIMIT;
    digest.add(this.#now, key, sequence, rows[at + BYTES]!);
    observe?.(this.#now as Instant, key, sequence, rows[at + BYTES]!);
    const word = slot * WORDS;
    this.#enter(slot, words[word + NEXT_LINK]!, words[word + EXIT_PORT]!, context, false);
  }

  #enter(slot: number, entryPort: number, exitPort: number, context: ProcessContext, isPort: boolean): void {
    const { rows, words } = this.#parcels;
    const word = slot * WORDS;
    const { carries, hashesFlows } = this.#options.topology;
    if (carries === undefined || carries(entryPort, exitPort)) this.#bytes += rows[slot * STRIDE + BYTES]!;
    const flow = hashesFlows === true ? flowOf(words[word + SOURCE]!, words[word + TARGET]!) : 0;
    words[word + EXIT_PORT] = exitPort;
    words[word + NEXT_LINK] = this.#paths.begin(entryPort, exitPort, flow);
    this.#enterLink(slot, context, isPort);
  }

  /** At the second link of its path a parcel may go another way. */
  #turn(slot: number, reroute: NonNullable<Topology["reroute"]>): void {
    const at = slot * WORDS + NEXT_LINK;
    const { words } = this.#parcels;
    const next = words[at]!;
    if (!this.#paths.isSecond(next)) return;
    words[at] = this.#paths.turn(next - 1, (path) => reroute(path, this.links)) + 1;
  }

  /** The head of a parcel is at a link, now. `isPort`: the link is the port at which it was sent. */
  #enterLink(slot: number, context: ProcessContext, isPort: boolean): void {
    const at = slot * STRIDE;
    const word = slot * WORDS;
    const { rows, words } = this.#parcels;
    const { links } = this;
    const pathLinks = this.#paths.links;
    const next = words[word + NEXT_LINK]!;
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
      const [source, target, exchange] = [words[word + SOURCE]!, words[word + TARGET]!, rows[at + EXCHANGE]!];
      this.#recorder.hop(source, target, exchange, link, headAt, start, end);
    }
    const latency = links.latency[link]!;
    rows[at + HEAD_AT] = start + latency;
    rows[at + TAIL_AT] = end + latency;
    if (pathLinks[next + 1] === END_OF_PATH) this.#deliver(slot, link, context);
    else {
      words[word + NEXT_LINK] = next + 1;
      rows[at + ORDER] = FIRST_HOP + this.#hopCount++;
      this.#events.append(HANDOVER_LANES + link, slot);
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
    const word = slot * WORDS;
    const { rows, words, history } = this.#parcels;
    const exit = this.#exits.at(words[word + TARGET]!, words[word + EXIT_PORT]!);
    const exits = this.#exits.numbers;
    const latency = exits[exit + LATENCY]!;
    const time = checkedInstant(rows[at + TAIL_AT]! + latency);
    const handed = this.#handed;
    handed.target = exits[exit + PROCESS]! | 0;
    handed.sentAt = this.#now as Instant;
    handed.size = rows[at + BYTES]!;
    handed.slot = slot;
    const handing = exits[exit + HANDING]!;
    if (handing === HANDINGS.delivery) {
      rows[at + HEAD_AT] = time;
      handed.kind = FABRIC_EVENTS.delivery;
      handed.time = time;
      context.handPart(handed, rows[at + EXCHANGE]!, words[word + SOURCE]!);
      return;
    }
    const headAt = handing === HANDINGS.head ? checkedInstant(rows[at + HEAD_AT]! + latency) : time;
    words[word + NEXT_LINK] = exits[exit + ONWARD_ENTRY]!;
    words[word + EXIT_PORT] = exits[exit + ONWARD_EXIT]!;
    rows[at + TAIL_AT] = time;
    rows[at + HEAD_AT] = headAt;
    if (history !== undefined && history[slot * HISTORY_STRIDE + RELAYED_AT]! < 0)
      history[slot * HISTORY_STRIDE + RELAYED_AT] = time;
    handed.kind = FABRIC_EVENTS.handover;
    handed.time = headAt;
    handed.lane = (this.#options.process + (link >> 1)) % HANDOVER_LANES;
    context.hand(handed);
  }
}

/** One queue pair for each ordered pair of ranks. */
function flowOf(source: number, target: number): number {
  return mix32(source) ^ (target + 1);
}
