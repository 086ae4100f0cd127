// Messages and bytes of one dispatch and one combine, counted by hand: from the choices of every token, by the formulas at
// the head of each pattern's file, over the ways that a multi-plane fabric has. It shares no code with what it checks,
// and knows sizes and numbers only, no time.

import type { AllToAllOptions } from "@windtunnel/cluster";

export interface CountedPhase {
  readonly messages: number;
  readonly nvlinkBytes: number;
  readonly rdmaBytes: number;
}

export interface CountedExchange {
  readonly dispatch: CountedPhase;
  readonly combine: CountedPhase;
  /** Bytes of both phases by the names of NVLink domains, planes, leaves and spines; only what carried something. */
  readonly loads: ReadonlyMap<string, number>;
}

/** `choices`: for each rank the experts of its tokens, [tokens, topk]. */
export function countExchange(options: AllToAllOptions, choices: readonly Int32Array[]): CountedExchange {
  const wires = new Wires(options);
  const count = options.pattern === "normal" ? countNormal : countRows;
  const { dispatch, combine } = count(options, choices);
  dispatch(wires);
  const afterDispatch = wires.phase();
  combine(wires);
  const both = wires.phase();
  const rest = {
    messages: both.messages - afterDispatch.messages,
    nvlinkBytes: both.nvlinkBytes - afterDispatch.nvlinkBytes,
    rdmaBytes: both.rdmaBytes - afterDispatch.rdmaBytes,
  };
  return { dispatch: afterDispatch, combine: rest, loads: wires.loads };
}

interface Phases {
  readonly dispatch: (wires: Wires) => void;
  readonly combine: (wires: Wires) => void;
}

/** Bytes of a row: E4M3 with a scale of 4 bytes for every 128 channels on its way out, BF16 on its way back. */
const fp8Row = (hidden: number): number => hidden + 4 * Math.ceil(hidden / 128);
const bf16Row = (hidden: number): number => 2 * hidden;
const align16 = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/** `direct` and `low-latency`: r (16 + row) + 4 e out and r row + 4 e back, between every two ranks. */
function countRows(
  { ranks, experts, redundantExperts, hidden }: AllToAllOptions,
  choices: readonly Int32Array[],
): Phases {
  const expertsPerRank = (experts + redundantExperts) / ranks;
  const rows = new Int32Array(ranks * ranks);
  for (const [source, ofRank] of choices.entries()) {
    for (const expert of ofRank) rows[source * ranks + Math.floor(expert / expertsPerRank)]!++;
  }
  const eachPair = (send: (source: number, target: number, rows: number) => void): void => {
    for (let source = 0; source < ranks; source++) {
      for (let target = 0; target < ranks; target++) {
        if (source !== target) send(source, target, rows[source * ranks + target]!);
      }
    }
  };
  return {
    dispatch: (wires) =>
      eachPair((source, target, count) =>
        wires.send(source, target, count * (16 + fp8Row(hidden)) + 4 * expertsPerRank),
      ),
    combine: (wires) =>
      eachPair((source, target, count) =>
        wires.send(target, source, count * bf16Row(hidden) + 4 * expertsPerRank),
      ),
  };
}

/** `normal`: a token once to each remote node that needs it, from there over NVLink to the node's GPUs, and back. */
function countNormal(options: AllToAllOptions, choices: readonly Int32Array[]): Phases {
  const { ranks, experts, redundantExperts, gpusPerNode: gpus, tokens, topk, hidden } = options;
  const expertsPerRank = (experts + redundantExperts) / ranks;
  const nodes = ranks / gpus;
  // [ranks, nodes] tokens of a rank that a node needs; [ranks, gpus] copies that a relay has for the GPUs of its node.
  const needed = new Int32Array(ranks * nodes);
  const forwarded = new Int32Array(ranks * gpus);
  for (const [source, ofRank] of choices.entries()) {
    const index = source % gpus;
    for (let token = 0; token < ofRank.length; token += topk) {
      const owners = new Set<number>();
      for (let choice = 0; choice < topk; choice++)
        owners.add(Math.floor(ofRank[token + choice]! / expertsPerRank));
      const nodesOfToken = new Set<number>();
      for (const owner of owners) {
        const node = Math.floor(owner / gpus);
        nodesOfToken.add(node);
        forwarded[(node * gpus + index) * gpus + (owner % gpus)]!++;
      }
      for (const node of nodesOfToken) needed[source * nodes + node]!++;
    }
  }
  const slices = Array.from({ length: ranks }, (_, rank) => {
    const count = tokens[rank % tokens.length]!;
    return Math.ceil(count / Math.max(256, Math.ceil(count / 16)));
  });
  const slicesThrough = (relay: number): number =>
    Math.max(...slices.filter((_, source) => source % gpus === relay % gpus));
  const eachHop = (
    overNetwork: (source: number, relay: number, tokens: number) => void,
    overNvlink: (relay: number, target: number, tokens: number, messages: number) => void,
  ): void => {
    for (let rank = 0; rank < ranks; rank++) {
      const home = Math.floor(rank / gpus);
      for (let node = 0; node < nodes; node++) {
        if (node !== home) overNetwork(rank, node * gpus + (rank % gpus), needed[rank * nodes + node]!);
      }
      const messages = slicesThrough(rank);
      for (let gpu = 0; gpu < gpus; gpu++) {
        const target = home * gpus + gpu;
        if (target !== rank) overNvlink(rank, target, forwarded[rank * gpus + gpu]!, messages);
      }
    }
  };
  const out = align16(fp8Row(hidden) + 8 + 8 * topk);
  const back = align16(bf16Row(hidden) + 8 + 4 * topk);
  const counts = 4 * (1 + expertsPerRank);
  return {
    dispatch: (wires) => {
      // Notify, one message for each way.
      eachHop(
        (source, relay) => wires.send(source, relay, gpus * counts),
        (source, target) => wires.send(source, target, nodes * counts),
      );
      eachHop(
        (source, relay, count) => wires.send(source, relay, count * out, slices[source]),
        (relay, target, count, messages) => wires.send(relay, target, count * out, messages),
      );
    },
    combine: (wires) =>
      eachHop(
        (source, relay, count) => wires.send(relay, source, count * back, slices[source]),
        (relay, target, count, messages) => wires.send(target, relay, count * back, messages),
      ),
  };
}

/** A multi-plane fabric with static routing: GPU i on plane i, a last hop over NVLink to a GPU of another index. */
class Wires {
  readonly loads = new Map<string, number>();
  readonly #options: AllToAllOptions;
  #messages = 0;
  #nvlinkBytes = 0;
  #rdmaBytes = 0;

  constructor(options: AllToAllOptions) {
    this.#options = options;
  }

  /** So many messages with so many bytes together. */
  send(source: number, target: number, bytes: number, messages: number = 1): void {
    const { gpusPerNode, fabric, nvlink } = this.#options;
    const [from, to] = [Math.floor(source / gpusPerNode), Math.floor(target / gpusPerNode)];
    this.#messages += messages;
    if (from === to && nvlink) {
      this.#overNvlink(to, bytes);
      return;
    }
    // Without NVLink the source reaches the NIC of the target's index over PCIe, also inside its node.
    const index = (nvlink ? source : target) % gpusPerNode;
    const plane = `plane ${index}`;
    const [perLeaf, spines] = [Number(fabric["nodesPerLeaf"]), Number(fabric["spinesPerPlane"])];
    const [fromLeaf, toLeaf] = [Math.floor(from / perLeaf), Math.floor(to / perLeaf)];
    this.#rdmaBytes += bytes;
    this.#add(plane, bytes);
    this.#add(`${plane} / leaf ${fromLeaf}`, bytes);
    if (fromLeaf !== toLeaf) {
      this.#add(`${plane} / spine ${to % spines}`, bytes);
      this.#add(`${plane} / leaf ${toLeaf}`, bytes);
    }
    if (target % gpusPerNode !== index) this.#overNvlink(to, bytes);
  }

  phase(): CountedPhase {
    return { messages: this.#messages, nvlinkBytes: this.#nvlinkBytes, rdmaBytes: this.#rdmaBytes };
  }

  #overNvlink(node: number, bytes: number): void {
    this.#nvlinkBytes += bytes;
    this.#add(`node ${node} nvlink`, bytes);
  }

  #add(name: string, bytes: number): void {
    if (bytes > 0) this.loads.set(name, (this.loads.get(name) ?? 0) + bytes);
  }
}
