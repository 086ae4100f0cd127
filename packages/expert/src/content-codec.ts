// Contents of messages as plain data, for frames between hosts. Blocks of rows, of which there are most, are written as
// numbers side by side; all other contents are plain already, but for blocks that stand in an array.

import { integersOf, Payload } from "@windtunnel/base";
import { CountedOutputs, CountedRows, OutputBlock, RowBlock } from "./row-block.ts";

/** How a content stands among the numbers. */
const KIND = { other: 0, rows: 1, outputs: 2, countedRows: 3, countedOutputs: 4 } as const;

interface PackedContents {
  readonly numbers: Payload;
  /** Of blocks that have one, in their order. */
  readonly payloads: readonly Payload[];
  readonly others: readonly unknown[];
  /** Counted rows, each once, however many messages share them. */
  readonly counted: readonly {
    readonly source: number;
    readonly expertsPerRank: number;
    readonly offsets: Payload;
  }[];
}

/** A block among others in an array. */
interface PackedList {
  readonly list: PackedContents;
}

/** Contents as plain data and byte arrays. */
export function packContents(contents: readonly unknown[]): PackedContents {
  const numbers = new NumberList();
  const payloads: Payload[] = [];
  const others: unknown[] = [];
  const counted = new Map<CountedRows, number>();
  for (const content of contents) {
    if (content instanceof CountedRows) {
      let known = counted.get(content);
      if (known === undefined) counted.set(content, (known = counted.size));
      numbers.add(KIND.countedRows);
      numbers.add(known);
    } else if (content instanceof CountedOutputs) {
      numbers.add(KIND.countedOutputs);
      numbers.add(content.target);
    } else if (content instanceof RowBlock) {
      numbers.add(KIND.rows);
      numbers.add(content.source);
      numbers.add(content.target);
      numbers.add(content.payload === undefined ? 0 : 1);
      numbers.add(content.expertCount);
      for (let expert = 0; expert < content.expertCount; expert++) numbers.add(content.countOf(expert));
      if (content.payload !== undefined) payloads.push(content.payload);
    } else if (content instanceof OutputBlock) {
      numbers.add(KIND.outputs);
      numbers.add(content.source);
      numbers.add(content.target);
      numbers.add(content.payload === undefined ? 0 : 1);
      numbers.add(content.rows);
      if (content.payload !== undefined) payloads.push(content.payload);
    } else {
      numbers.add(KIND.other);
      others.push(Array.isArray(content) ? { list: packContents(content) } : content);
    }
  }
  return {
    numbers: numbers.payload,
    payloads,
    others,
    counted: Array.from(counted.keys(), ({ source, expertsPerRank, offsets }) => ({
      source,
      expertsPerRank,
      offsets: new Payload(new Uint8Array(offsets.buffer, offsets.byteOffset, offsets.byteLength)),
    })),
  };
}

/** The contents that were packed, in their order. */
export function unpackContents(packed: unknown): unknown[] {
  const { numbers: bytes, payloads, others, counted } = packed as PackedContents;
  const numbers = integersOf(bytes);
  const rows = counted.map(({ source, expertsPerRank, offsets }) => {
    return new CountedRows(source, integersOf(offsets), expertsPerRank);
  });
  const contents: unknown[] = [];
  let [nextPayload, nextOther] = [0, 0];
  for (let at = 0; at < numbers.length;) {
    const kind = numbers[at++]!;
    if (kind === KIND.other) {
      const other = others[nextOther++];
      contents.push(isPackedList(other) ? unpackContents(other.list) : other);
      continue;
    }
    if (kind === KIND.countedRows) {
      contents.push(rows[numbers[at++]!]!);
      continue;
    }
    if (kind === KIND.countedOutputs) {
      contents.push(new CountedOutputs(numbers[at++]!));
      continue;
    }
    const ends = { source: numbers[at++]!, target: numbers[at++]! };
    const payload = numbers[at++] === 1 ? payloads[nextPayload++] : undefined;
    if (kind === KIND.outputs) {
      contents.push(new OutputBlock({ ...ends, rows: numbers[at++]! }, payload));
      continue;
    }
    const experts = numbers[at++]!;
    const offsets = new Int32Array(experts + 1);
    for (let expert = 0; expert < experts; expert++) offsets[expert + 1] = offsets[expert]! + numbers[at++]!;
    contents.push(new RowBlock(ends, offsets, 0, experts, payload));
  }
  return contents;
}

function isPackedList(content: unknown): content is PackedList {
  return typeof content === "object" && content !== null && "list" in content;
}

class NumberList {
  #numbers = new Int32Array(256);
  #length = 0;

  add(value: number): void {
    if (this.#length === this.#numbers.length) {
      const numbers = new Int32Array(2 * this.#length);
      numbers.set(this.#numbers);
      this.#numbers = numbers;
    }
    this.#numbers[this.#length++] = value;
  }

  get payload(): Payload {
    return new Payload(new Uint8Array(this.#numbers.slice(0, this.#length).buffer));
  }
}
