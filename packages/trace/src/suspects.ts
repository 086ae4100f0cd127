// What is probably wrong, by name: evidence gathered from a recording alone, without the scenario. Each kind of suspect has a
// test of its own against what is usual in the same run, and a cost: the time that it adds to its own part of the run. The
// one that costs most comes first.
// Memory: numbers for each rank and each link.

import { toMicroseconds } from "@windtunnel/base";
import { directionBetweenSwitches } from "./link-kinds.ts";
import { exchangeKey, type RankStep } from "./rank-steps.ts";
import type { RecordedMessage } from "./record-layout.ts";
import type { WireOf } from "./attribution.ts";
import type { RankGraph, StepGraph } from "./step-graph.ts";
import { serializedWaits } from "./serialized-waits.ts";
import { medianOf } from "./wait-matrix.ts";

export type Suspect = {
  /** About so many microseconds it adds to its part of a step, at most: what runs beside it may hide them. */
  readonly costUs: number;
  /** How far it is from what is usual in the run; null where nothing of the kind is usual. */
  readonly factor: number | null;
} & (
  | { readonly kind: "slow-gpu"; readonly rank: number }
  | { readonly kind: "loaded-experts"; readonly rank: number }
  | { readonly kind: "slow-link"; readonly link: string }
  | { readonly kind: "colliding-routes"; readonly link: string }
  | {
      readonly kind: "serialized-micro-batches";
      readonly phase: "dispatch" | "combine";
      readonly microBatch: number;
    }
);

/** Below these factors a difference is noise, or the unevenness of an honest gate. */
const SLOW_GPU = 1.06;
const LOADED = 1.15;
const SLOW_LINK = 1.1;
const COLLIDING = 2.5;
/** Of a run, at one link: less is no collision. */
const LEAST_QUEUE_US = 1;
/** Of a step: what adds less is not worth a line. */
const LEAST_SHARE = 0.001;
/** Groups of fewer ranks with the same rows say nothing of what is usual. */
const LEAST_GROUP = 3;

interface LinkEvidence {
  bytes: number;
  transfer: number;
  /** Over exchanges, the longest time that a message queued here, and its transfer meanwhile. */
  queued: number;
}

interface RankEvidence {
  /** By operation: time, and what is usual for the same rows. */
  readonly operations: Map<string, { time: number; usual: number }>;
  expertRows: number;
  expertTime: number;
  bytesIn: number;
  bytesOut: number;
}

export interface SuspectsOptions {
  readonly wireOf: WireOf;
  readonly nameOfLink: (process: number, link: number) => string;
  /** Names of all links of the run. */
  readonly links: readonly string[];
}

export class Suspects {
  readonly #options: SuspectsOptions;
  readonly #ranks = new Map<number, RankEvidence>();
  readonly #links = new Map<string, LinkEvidence & { readonly wire: string }>();
  /** Longest queue of the step so far by exchange and link. */
  readonly #queues = new Map<string, { link: string; queued: number }>();
  readonly #serialized = new Map<string, number>();
  #transferPerByte = { bytes: 0, transfer: 0 };
  #stepCount = 0;
  /** Of all steps, in picoseconds. */
  #time = 0;

  constructor(options: SuspectsOptions) {
    this.#options = options;
  }

  /** Messages as they arrived at a rank in a step. */
  addMessages(target: number, { messages }: RankStep): void {
    const own = this.#rank(target);
    for (const message of messages) {
      own.bytesIn += message.bytes;
      this.#rank(message.source).bytesOut += message.bytes;
      this.#addTransfer(message);
      this.#addQueue(message);
    }
  }

  #addTransfer({ bytes, transfer, slowestProcess, slowestLink }: RecordedMessage): void {
    if (bytes === 0 || transfer === 0) return;
    const link = this.#link(slowestProcess, slowestLink);
    link.bytes += bytes;
    link.transfer += transfer;
    this.#transferPerByte.bytes += bytes;
    this.#transferPerByte.transfer += transfer;
  }

  /** Between switches only: at the ports of a GPU its own bytes queue. */
  #addQueue(message: RecordedMessage): void {
    const queued = message.queued - message.portQueued;
    const name = this.#options.nameOfLink(message.limitingProcess, message.limitingLink);
    if (queued === 0 || directionBetweenSwitches(name) === undefined) return;
    this.#link(message.limitingProcess, message.limitingLink);
    const key = `${message.layer} ${exchangeKey(message)} ${name}`;
    const known = this.#queues.get(key);
    if (known === undefined) this.#queues.set(key, { link: name, queued });
    else known.queued = Math.max(known.queued, queued);
  }

  addStep(graph: StepGraph): void {
    this.#stepCount += 1;
    this.#time += graph.end - graph.start;
    for (const { link, queued } of this.#queues.values()) this.#links.get(link)!.queued += queued;
    this.#queues.clear();
    this.#addOperations(graph);
    for (const rank of graph.ranks) {
      for (const { phase, microBatch, time } of serializedWaits(rank)) {
        const key = `${phase} ${microBatch}`;
        this.#serialized.set(key, (this.#serialized.get(key) ?? 0) + time / graph.ranks.length);
      }
    }
  }

  /** Each operation beside the same one, of the same rows on as many SMs, on other ranks. */
  #addOperations(graph: StepGraph): void {
    const groups = new Map<string, { rank: RankGraph; name: string; time: number }[]>();
    for (const rank of graph.ranks) {
      const evidence = this.#rank(rank.rank);
      for (const { name, layer, microBatch, rows, sms, start, end } of rank.computing) {
        const time = end - start;
        if (name === "mlp.experts") {
          evidence.expertRows += rows;
          evidence.expertTime += time;
        }
        const key = `${name} ${layer} ${microBatch} ${rows} ${sms}`;
        const group = groups.get(key);
        if (group === undefined) groups.set(key, [{ rank, name, time }]);
        else group.push({ rank, name, time });
      }
    }
    for (const group of groups.values()) {
      if (group.length < LEAST_GROUP) continue;
      const usual = medianOf(group.map(({ time }) => time));
      for (const { rank, name, time } of group) {
        const { operations } = this.#rank(rank.rank);
        const operation = operations.get(name) ?? { time: 0, usual: 0 };
        operation.time += time;
        operation.usual += usual;
        operations.set(name, operation);
      }
    }
  }

  /** Costliest first; a step long at most, and nothing that a step does not notice. */
  found(): Suspect[] {
    const steps = Math.max(1, this.#stepCount);
    const stepUs = toMicroseconds(this.#time) / steps;
    return [
      ...this.#slowGpus(),
      ...this.#loadedRanks(),
      ...this.#slowCables(),
      ...this.#collisions(),
      ...this.#serializedExchanges(),
    ]
      .map((suspect): Suspect => ({ ...suspect, costUs: Math.min(suspect.costUs / steps, stepUs) }))
      .filter(({ costUs }) => costUs >= LEAST_SHARE * stepUs)
      .sort((x, y) => y.costUs - x.costUs);
  }

  /** A slow GPU is slow in all that it does: the median of its operations' factors. */
  #slowdownOf({ operations }: RankEvidence): number {
    const factors = [...operations.values()]
      .filter(({ usual }) => usual > 0)
      .map(({ time, usual }) => time / usual);
    return factors.length === 0 ? 1 : medianOf(factors);
  }

  #slowGpus(): Suspect[] {
    return [...this.#ranks].flatMap(([rank, evidence]): Suspect[] => {
      const factor = this.#slowdownOf(evidence);
      if (factor < SLOW_GPU) return [];
      let time = evidence.expertTime;
      for (const [name, operation] of evidence.operations) if (name !== "mlp.experts") time += operation.time;
      return [{ kind: "slow-gpu", rank, factor, costUs: toMicroseconds(time * (1 - 1 / factor)) }];
    });
  }

  /** More rows than the mean: longer products, and more bytes through one port, both ways. */
  #loadedRanks(): Suspect[] {
    const ranks = [...this.#ranks.values()];
    const mean = (of: (evidence: RankEvidence) => number): number =>
      ranks.reduce((sum, evidence) => sum + of(evidence), 0) / Math.max(1, ranks.length);
    const rows = mean(({ expertRows }) => expertRows);
    if (rows === 0) return [];
    const time = medianOf(ranks.map((evidence) => evidence.expertTime / this.#slowdownOf(evidence)));
    const [bytesIn, bytesOut] = [mean((each) => each.bytesIn), mean((each) => each.bytesOut)];
    const { bytes, transfer } = this.#transferPerByte;
    const perByte = bytes === 0 ? 0 : transfer / bytes;
    return [...this.#ranks].flatMap(([rank, evidence]): Suspect[] => {
      const factor = evidence.expertRows / rows;
      if (factor < LOADED) return [];
      const longer = evidence.expertTime / this.#slowdownOf(evidence) - time;
      const more = Math.max(0, evidence.bytesIn - bytesIn) + Math.max(0, evidence.bytesOut - bytesOut);
      const cost = Math.max(0, longer) + more * perByte;
      return [{ kind: "loaded-experts", rank, factor, costUs: toMicroseconds(cost) }];
    });
  }

  /** Of a cable that is slow both ways, the direction that costs more. */
  #slowCables(): Suspect[] {
    const cables = new Map<string, Suspect>();
    for (const suspect of this.#slowLinks()) {
      if (suspect.kind !== "slow-link") continue;
      const [prefix, ends] = splitName(suspect.link);
      const cable = `${prefix} / ${ends.split(" > ").toSorted().join(" - ")}`;
      const known = cables.get(cable);
      if (known === undefined || suspect.costUs > known.costUs) cables.set(cable, suspect);
    }
    return [...cables.values()];
  }

  #slowLinks(): Suspect[] {
    const perByteOf = ({ bytes, transfer }: LinkEvidence): number => transfer / bytes;
    const used = [...this.#links].filter(([, { bytes }]) => bytes > 0);
    const usual = new Map<string, number>();
    for (const wire of new Set(used.map(([, link]) => link.wire))) {
      usual.set(
        wire,
        medianOf(used.filter(([, link]) => link.wire === wire).map(([, link]) => perByteOf(link))),
      );
    }
    return used.flatMap(([name, link]): Suspect[] => {
      const expected = usual.get(link.wire)!;
      const factor = perByteOf(link) / expected;
      if (factor < SLOW_LINK) return [];
      // What queues there queues since it is slow.
      const cost = link.transfer - link.bytes * expected + link.queued;
      return [{ kind: "slow-link", link: name, factor, costUs: toMicroseconds(cost) }];
    });
  }

  /** One link between switches has many times the queue that is usual where links lead the same way. */
  #collisions(): Suspect[] {
    const slow = new Set(this.#slowLinks().map((suspect) => ("link" in suspect ? suspect.link : "")));
    return (["up", "down"] as const).flatMap((direction) => {
      const alike = this.#options.links.filter(
        (name) => directionBetweenSwitches(name) === direction && !slow.has(name),
      );
      const queueOf = (name: string): number => this.#links.get(name)?.queued ?? 0;
      const usual = medianOf(alike.map(queueOf));
      return alike.flatMap((name): Suspect[] => {
        const queued = queueOf(name);
        if (queued === 0 || queued < COLLIDING * usual || toMicroseconds(queued) < LEAST_QUEUE_US) return [];
        const factor = usual === 0 ? null : queued / usual;
        return [{ kind: "colliding-routes", link: name, factor, costUs: toMicroseconds(queued - usual) }];
      });
    });
  }

  #serializedExchanges(): Suspect[] {
    return [...this.#serialized].map(([key, time]): Suspect => {
      const [phase, microBatch] = key.split(" ") as ["dispatch" | "combine", string];
      const costUs = toMicroseconds(time);
      return {
        kind: "serialized-micro-batches",
        phase,
        microBatch: Number(microBatch),
        factor: null,
        costUs,
      };
    });
  }

  #rank(rank: number): RankEvidence {
    let evidence = this.#ranks.get(rank);
    if (evidence === undefined) {
      evidence = { operations: new Map(), expertRows: 0, expertTime: 0, bytesIn: 0, bytesOut: 0 };
      this.#ranks.set(rank, evidence);
    }
    return evidence;
  }

  #link(process: number, link: number): LinkEvidence {
    const name = this.#options.nameOfLink(process, link);
    let evidence = this.#links.get(name);
    if (evidence === undefined) {
      evidence = { wire: this.#options.wireOf(process, link), bytes: 0, transfer: 0, queued: 0 };
      this.#links.set(name, evidence);
    }
    return evidence;
  }
}

/** "plane 3 / leaf 0 > spine 5" as what it is a part of, and its ends. */
function splitName(link: string): readonly [string, string] {
  const at = link.lastIndexOf(" / ");
  return at < 0 ? ["", link] : [link.slice(0, at), link.slice(at + 3)];
}
