// Schedules of pipelined training as lists of operations, and how long they take: 1F1B, zero bubble (ZB1P), DualPipe and
// DualPipeV, whose lists for each rank are those of mechanics §5. Every operation waits for the neighbour's of the same micro-batch.
// Pure; it knows no cluster.

/** Times of a chunk on a rank. `backward` is input gradient and weight gradient together. */
export interface ChunkTimes {
  readonly forward: number;
  readonly backward: number;
  readonly weights: number;
  /** A forward and a backward that overlap. */
  readonly overlapped: number;
}

type Kind = "forward" | "backward" | "inputs" | "weights";

interface Work {
  readonly kind: Kind;
  /** DualPipe: 0 for the near direction of a rank, 1 for the far one. DualPipeV: 0 on the way down, 1 on the way back. */
  readonly phase: 0 | 1;
  readonly chunk: number;
}

/** One operation: a chunk's work, or a forward and a backward overlapped. */
type Operation = readonly Work[];

/** Writes a rank's list; counts the chunks of each phase and remembers weight gradients that were put off. */
class RankList {
  readonly operations: Operation[] = [];
  readonly #forwards = [0, 0];
  readonly #backwards = [0, 0];
  readonly #deferred: Work[] = [];

  forward(phase: 0 | 1): void {
    this.operations.push([this.#nextForward(phase)]);
  }

  backward(phase: 0 | 1): void {
    this.operations.push([{ kind: "backward", phase, chunk: this.#backwards[phase]!++ }]);
  }

  inputs(phase: 0 | 1): void {
    const chunk = this.#backwards[phase]!++;
    this.operations.push([{ kind: "inputs", phase, chunk }]);
    this.#deferred.push({ kind: "weights", phase, chunk });
  }

  weights(): void {
    this.operations.push([this.#deferred.shift()!]);
  }

  overlapped(forward: 0 | 1, backward: 0 | 1): void {
    const backwards: Work = { kind: "backward", phase: backward, chunk: this.#backwards[backward]!++ };
    this.operations.push([this.#nextForward(forward), backwards]);
  }

  #nextForward(phase: 0 | 1): Work {
    return { kind: "forward", phase, chunk: this.#forwards[phase]!++ };
  }
}

function repeat(count: number, each: (index: number) => void): void {
  for (let index = 0; index < count; index++) each(index);
}

/** One forward, one backward, after the forwards that fill the pipeline. */
function oneForwardOneBackward(ranks: number, chunks: number, rank: number): Operation[] {
  const list = new RankList();
  const ahead = Math.min(ranks - 1 - rank, chunks);
  repeat(ahead, () => list.forward(0));
  repeat(chunks, (done) => {
    if (ahead + done < chunks) list.forward(0);
    list.backward(0);
  });
  return list.operations;
}

/** As 1F1B; rank r puts off the weight gradients of r chunks, which fill its gaps at the end. */
function zeroBubble(ranks: number, chunks: number, rank: number): Operation[] {
  const list = new RankList();
  const ahead = Math.min(ranks - 1 - rank, chunks);
  repeat(ahead, () => list.forward(0));
  repeat(chunks, (done) => {
    if (ahead + done < chunks) list.forward(0);
    list.inputs(0);
    if (done >= rank) list.weights();
  });
  repeat(Math.min(rank, chunks), () => list.weights());
  return list.operations;
}

/** Each rank holds a stage of either direction, which share the micro-batches. */
function dualPipe(stages: number, chunks: number, rank: number): Operation[] {
  const place = Math.min(rank, stages - 1 - rank);
  return bidirectional({ place, before: stages / 2 - place - 1, both: chunks / 2 - stages + place + 1 });
}

/** Each rank holds a stage of the way down and one of the way back. */
function dualPipeV(stages: number, chunks: number, rank: number): Operation[] {
  return bidirectional({ place: rank, before: stages / 2 - rank - 1, both: chunks - stages + rank + 1 });
}

interface Steps {
  readonly place: number;
  readonly before: number;
  /** Pairs of overlapped operations in the middle. */
  readonly both: number;
}

/** mechanics §5, steps 1 to 8. */
function bidirectional({ place, before, both }: Steps): Operation[] {
  const list = new RankList();
  const isMiddle = before === 0;
  repeat(2 * before, () => list.forward(0));
  repeat(place + 1, () => (list.forward(0), list.forward(1)));
  repeat(before, () => (list.inputs(1), list.weights(), list.forward(1)));
  repeat(both, (index) => {
    if (index === 0 && isMiddle) {
      list.forward(0);
      list.backward(1);
    } else {
      list.overlapped(0, 1);
    }
    list.overlapped(1, 0);
  });
  repeat(before, () => (list.backward(1), list.overlapped(1, 0)));
  // Of these backwards, the second half puts its weight gradients off.
  repeat(2 * (place + 1), (index) => {
    const phase = index % 2 === 0 ? 1 : 0;
    if (index >= place + 1) list.inputs(phase);
    else list.backward(phase);
  });
  repeat(before, () => (list.weights(), list.inputs(0)));
  repeat(place + 1, () => list.weights());
  return list.operations;
}

export type ScheduleName = "1F1B" | "ZB1P" | "DualPipe" | "DualPipeV";

const LISTS: Readonly<Record<ScheduleName, (stages: number, chunks: number, rank: number) => Operation[]>> = {
  "1F1B": oneForwardOneBackward,
  ZB1P: zeroBubble,
  DualPipe: dualPipe,
  DualPipeV: dualPipeV,
};

export interface PipelineShape {
  /** Ranks too, but in DualPipeV, which has half as many. */
  readonly stages: number;
  readonly chunks: number;
}

/** Runs a schedule; how long each rank is idle until the last one ends. */
export function idleTimes(
  name: ScheduleName,
  { stages, chunks }: PipelineShape,
  times: ChunkTimes,
): number[] {
  const ranks = name === "DualPipeV" ? stages / 2 : stages;
  const lists = Array.from({ length: ranks }, (_, rank) => LISTS[name](stages, chunks, rank));
  const done = new Map<string, number>();
  const freeAt = lists.map(() => 0);
  const busy = lists.map(() => 0);
  const next = lists.map(() => 0);
  let moved = true;
  while (moved) {
    moved = false;
    for (const [rank, list] of lists.entries()) {
      for (let operation = list[next[rank]!]; operation !== undefined; operation = list[next[rank]!]) {
        const needed = operation.flatMap((work) => needs(name, stages, rank, work));
        if (!needed.every((key) => done.has(key))) break;
        const start = needed.reduce((latest, key) => Math.max(latest, done.get(key)!), freeAt[rank]!);
        const lasts = timeOf(operation, times);
        freeAt[rank] = start + lasts;
        busy[rank]! += lasts;
        for (const work of operation) done.set(keyOf(name, stages, rank, work), start + lasts);
        next[rank]!++;
        moved = true;
      }
    }
  }
  if (!lists.every((list, rank) => next[rank] === list.length))
    throw new Error(`${name} does not come to its end`);
  const end = freeAt.reduce((latest, time) => Math.max(latest, time), 0);
  return busy.map((time) => end - time);
}

function timeOf(operation: Operation, { forward, backward, weights, overlapped }: ChunkTimes): number {
  if (operation.length > 1) return overlapped;
  return { forward, backward, weights, inputs: backward - weights }[operation[0]!.kind];
}

interface Spot {
  /** Direction 0 enters at rank 0, direction 1 at the last rank. */
  readonly direction: number;
  readonly stage: number;
}

function spotOf(name: ScheduleName, stages: number, rank: number, phase: number): Spot {
  if (name === "DualPipeV") return { direction: 0, stage: phase === 0 ? rank : stages - 1 - rank };
  if (name !== "DualPipe") return { direction: 0, stage: rank };
  const direction = rank < stages / 2 ? phase : 1 - phase;
  return { direction, stage: direction === 0 ? rank : stages - 1 - rank };
}

/** A backward hands its input gradient on, whether or not its weight gradient is put off. */
function keyOf(name: ScheduleName, stages: number, rank: number, { kind, phase, chunk }: Work): string {
  const { direction, stage } = spotOf(name, stages, rank, phase);
  return `${kind === "inputs" ? "backward" : kind} ${direction} ${chunk} ${stage}`;
}

function needs(name: ScheduleName, stages: number, rank: number, { kind, phase, chunk }: Work): string[] {
  const { direction, stage } = spotOf(name, stages, rank, phase);
  const key = (of: string, at: number): string => `${of} ${direction} ${chunk} ${at}`;
  if (kind === "forward") return stage === 0 ? [] : [key("forward", stage - 1)];
  if (kind === "weights") return [key("backward", stage)];
  return [key("forward", stage), ...(stage === stages - 1 ? [] : [key("backward", stage + 1)])];
}
