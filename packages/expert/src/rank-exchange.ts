// One exchange of one micro-batch in one layer, as one rank sees it: what a pattern works with. It issues the pattern's
// kernels on the rank's GPU, hands its messages to the network, waits for others', and keeps account of every token
// (`exchange-account.ts`). What is executed is done by `math`, at the moment at which the pattern asks for it. It knows no
// schedule; it is told what follows a step.

import {
  after,
  type Duration,
  type Instant,
  invariant,
  latest,
  type Payload,
  picoseconds,
  PICOSECONDS_PER_SECOND,
  RUN_START,
} from "@windtunnel/base";
import {
  type Completion,
  type CostSequence,
  type Dependency,
  exchangeKernel,
  type FirstTargets,
  type Gpu,
  type Operation,
  type OperationCost,
  type Received,
} from "@windtunnel/gpu";
import { wireRowBytes } from "@windtunnel/model";
import { type Bodies, SharedBody } from "@windtunnel/network-plane";
import type { DispatchLayout, ExpertPlacement } from "@windtunnel/router";
import type { Phase, Place, StreamName } from "@windtunnel/trace";
import { Condition, type Program, until, type Wait } from "@windtunnel/virtual-time";
import { ExchangeAccount } from "./exchange-account.ts";
import {
  type Arrived,
  type Beside,
  type ExchangeMath,
  type FollowedBy,
  type Kernel,
  PARTS,
  type Receiving,
  type Relay,
  type Sending,
} from "./exchange-terms.ts";
import type { ExchangeShape } from "./pattern.ts";
import { CountedOutputs, CountedRows, OutputBlock, type RowBlock, rowBlocks } from "./row-block.ts";
import { PatternFaults } from "./pattern-faults.ts";
import {
  mistakeInBytes,
  mistakeInFirstTargets,
  mistakeInKernel,
  mistakeInRail,
  mistakeInSending,
  mistakeInSources,
  mistakeInTarget,
  StreamShares,
} from "./pattern-mistakes.ts";
import {
  joinTokens,
  type RankGroups,
  sliceTokens,
  splitByGroup,
  type TokenSet,
  tokensOfLayout,
} from "./token-set.ts";
import type { Unit } from "./unit.ts";

export interface RankExchangeOptions {
  readonly gpu: Gpu;
  readonly pattern: string;
  /** What the pattern declares. */
  readonly alongRails: boolean;
  readonly receivesOnly: boolean;
  readonly unit: Unit;
  readonly shape: ExchangeShape;
  readonly place: Place;
  /** Numbers of its two phases; each counts `PARTS` exchanges. */
  readonly numbers: Readonly<Record<Phase, number>>;
  /** Where kernels run unless a pattern says otherwise. */
  readonly stream: StreamName;
  /** SMs of those kernels; null: all. */
  readonly sms: number | null;
  /** SMs of computing kernels, for promises. */
  readonly computeSms: number;
  readonly layout: DispatchLayout;
  readonly placement: ExpertPlacement;
  readonly math: ExchangeMath | undefined;
  /** From a message's departure over the network to the return of what it frees, at least. */
  readonly roundTrip: Duration;
  /** What a pattern keeps on this rank from one exchange to the next. */
  readonly memory: Map<string, unknown>;
}

export class RankExchange {
  /** This rank in its unit. */
  readonly rank: number;
  readonly tokens: number;
  readonly unit: Unit;
  readonly shape: ExchangeShape;
  readonly memory: Map<string, unknown>;
  readonly #options: RankExchangeOptions;
  #phase: Phase = "dispatch";
  #followedBy: FollowedBy = [];
  #beside = 0;
  /** Relays whose code runs, one within the other. */
  #relays = 0;
  /** The kernel on the pattern's own stream that is complete last, and when the last one on another is. */
  #ownLast: Dependency | undefined;
  #besideUntil: Instant = RUN_START;
  /** When the kernels that the last wait promised can be complete at the earliest. */
  #promisedUntil: Instant = RUN_START;
  readonly #streams: StreamShares;
  readonly #faults: PatternFaults;
  #blocks: readonly RowBlock[] | undefined;
  #own: TokenSet | undefined;
  readonly #account: ExchangeAccount;
  #outputs: readonly (OutputBlock | undefined)[] = [];
  #partials: readonly TokenSet[] = [];

  constructor(options: RankExchangeOptions) {
    const { unit, shape, layout, memory } = options;
    this.#options = options;
    this.rank = unit.rank;
    this.tokens = layout.tokenCount;
    this.unit = unit;
    this.shape = shape;
    this.memory = memory;
    const { pattern, place } = options;
    const phase = (): Phase => this.#phase;
    this.#faults = new PatternFaults({ pattern, place, phase, rank: this.#name(unit.rank) });
    this.#streams = new StreamShares(options.sms, options.stream);
    this.#account = new ExchangeAccount({ unit, layout, shape, fail: (what) => this.#faults.fail(what) });
  }

  // What a pattern uses.

  /** Every other rank of the unit, in the order in which this one should send; see `Unit`. */
  get others(): readonly number[] {
    return this.unit.others;
  }

  /** Rows of this rank's tokens for a rank's experts: one for each choice. */
  rowsFor(rank: number): RowBlock {
    return this.#allBlocks[rank]!;
  }

  get #allBlocks(): readonly RowBlock[] {
    const { layout, placement, math } = this.#options;
    this.#blocks ??= rowBlocks(layout, this.rank, placement, math?.packRows());
    return this.#blocks;
  }

  /** This rank's tokens, each once, with all its choices. */
  get own(): TokenSet {
    this.#own ??= tokensOfLayout(this.#options.layout, this.rank, this.#options.math?.packTokens());
    return this.#own;
  }

  /** Groups of ranks to split token sets by; the same object for the same `key`. */
  groups(key: string, groupOf: (rank: number) => number): RankGroups {
    return this.unit.groups(key, this.shape.expertsPerRank, groupOf);
  }

  /** For each group the tokens of a set that some rank in it needs, each once, with their choices there. */
  split(set: TokenSet, groups: RankGroups): readonly TokenSet[] {
    return splitByGroup(set, groups).map((part) => partOf(part, set));
  }

  /** A set in consecutive parts of so many tokens; the last one may be shorter. No tokens, no parts. */
  slice(set: TokenSet, tokensPerSlice: number): readonly TokenSet[] {
    return sliceTokens(set, tokensPerSlice).map((part) => partOf(part, set));
  }

  /** Bytes of one row as it is on the wire, out to experts or back: numbers and scales, no header. */
  rowBytes(phase: Phase): number {
    return wireRowBytes(this.shape.wire[phase], this.shape.hiddenSize);
  }

  /** What it costs to copy so many bytes between memory and the network's buffers: bound by the SMs that copy. */
  copyCost(bytes: number): CostSequence {
    this.#faults.refuse(mistakeInBytes("asks what it costs to copy", bytes));
    return [exchangeKernel("copy", bytes)];
  }

  kernel(kernel: Kernel): Completion {
    this.#faults.refuse(mistakeInKernel(kernel, this.#phase));
    const { name, cost, after, stream, sms, resident, lasts } = kernel;
    const { gpu, place } = this.#options;
    const share = sms ?? this.#options.sms;
    const own = stream ?? this.#options.stream;
    this.#faults.refuse(this.#streams.mistakeIn(own, share));
    const operation: Operation = {
      name,
      place,
      cost,
      stream: own,
      dependsOn: after,
      ...(share === null ? {} : { sms: share }),
      ...(resident === undefined ? {} : { resident }),
      ...(lasts === undefined ? {} : { lasts }),
    };
    const completion = gpu.compute(operation);
    if (own === this.#options.stream) {
      if (completion.at > (this.#ownLast?.at ?? RUN_START)) this.#ownLast = completion;
    } else this.#besideUntil = latest(this.#besideUntil, completion.at);
    return completion;
  }

  /** How long a kernel runs on so many SMs. */
  durationOf(cost: CostSequence, sms: number): Duration {
    return this.#options.gpu.durationOf(cost, sms);
  }

  /** The least time until the buffers of bytes that this rank's NIC sends are free again. */
  leastUntilFreed(bytes: number): Duration {
    const { gpu, roundTrip } = this.#options;
    const { nics } = gpu.costModel.profile;
    const sending = nics === null ? 0 : (bytes / nics.bytesPerSecond) * PICOSECONDS_PER_SECOND;
    return picoseconds(sending + roundTrip);
  }

  /** Hands messages to the network. Contents are row blocks, output blocks, token sets by the array, or counts. */
  send<Content>(sending: Sending<Content>): void {
    this.#faults.refuse(mistakeInSending(sending));
    const { alongRails } = this.#options;
    const { after, at, part = 0, messages } = sending;
    const targets = new Int32Array(messages.length);
    const bytesOf = new Float64Array(messages.length);
    const bodies: unknown[] = [];
    const isDispatch = this.#phase === "dispatch";
    for (let index = 0; index < messages.length; index++) {
      const { to, bytes, content } = messages[index]!;
      if (!(Number.isSafeInteger(bytes) && bytes >= 0))
        this.#faults.fail(`sends ${bytes} bytes to rank ${this.#name(to)}`);
      this.#faults.refuse(mistakeInTarget(this.unit, to));
      if (alongRails) this.#faults.refuse(mistakeInRail(this.unit, to));
      if (isDispatch) this.#account.sent(content);
      targets[index] = this.unit.ranks[to]!;
      bytesOf[index] = bytes;
      bodies.push(content);
    }
    this.#options.gpu.send({
      exchange: this.#number(part),
      phase: this.#phase,
      place: this.#options.place,
      after,
      ...(at === undefined ? {} : { at }),
      targets,
      bytes: bytesOf,
      bodies,
    });
  }

  /** Sends every other rank its rows and keeps this rank's own, as by `send` and `keepRows`, for `receiveAllRows`. */
  sendAllRows(after: Completion, bytesOf: (rows: number) => number): void {
    const { layout, math } = this.#options;
    const { others } = this.unit;
    const bytes = new Float64Array(others.length);
    if (math === undefined) {
      const counted = new CountedRows(this.rank, layout.rowOffsets, this.shape.expertsPerRank);
      for (let index = 0; index < others.length; index++)
        bytes[index] = bytesOf(counted.rowsFor(others[index]!));
      this.#account.sendAllRows();
      this.#sendAll(after, bytes, new SharedBody(counted));
      this.#account.keepOwnCounted(counted);
      return;
    }
    const blocks = this.#allBlocks;
    const bodies = others.map((to) => blocks[to]!);
    for (const [index, { rows }] of bodies.entries()) bytes[index] = bytesOf(rows);
    this.#account.sendAllRows();
    this.#sendAll(after, bytes, bodies);
    this.#account.keepRows(this.rank, blocks[this.rank]!);
  }

  /** Waits for the rows of every other rank and keeps them; gives the number of rows that this rank has then. */
  *receiveAllRows(least: CostSequence): Program<Dependency & { readonly rows: number }> {
    const { at, cause, bodies, sharedBodies } = yield* this.#receiveAll(least);
    if (this.#account.isCounted) return { at, cause, rows: this.#account.keepAllCounted(sharedBodies ?? []) };
    let rows = this.ownRows;
    for (const [index, from] of this.unit.ascending.entries()) {
      const block = bodies[index] as RowBlock;
      this.#account.keepRows(from, block);
      rows += block.rows;
    }
    return { at, cause, rows };
  }

  /** Sends every other rank the outputs for its rows and accepts this rank's own, for `receiveAllOutputs`. */
  sendAllOutputs(after: Completion, bytesOf: (rows: number) => number): void {
    const { others } = this.unit;
    const bytes = new Float64Array(others.length);
    const { countedFrom } = this.#account;
    if (countedFrom !== undefined) {
      for (let index = 0; index < others.length; index++)
        bytes[index] = bytesOf(countedFrom[others[index]!]!);
      this.#sendAll(after, bytes, new SharedBody(new CountedOutputs(this.rank)));
      return;
    }
    const bodies = others.map((to) => this.outputsFor(to));
    for (const [index, { rows }] of bodies.entries()) bytes[index] = bytesOf(rows);
    this.#sendAll(after, bytes, bodies);
    this.#account.acceptRows(this.rank, this.outputsFor(this.rank));
  }

  /** Waits for the outputs of every other rank and accepts them. */
  *receiveAllOutputs(least: CostSequence): Program<Dependency> {
    const { at, cause, bodies, sharedBodies } = yield* this.#receiveAll(least);
    if (this.#account.isCounted) this.#account.acceptAllCounted(sharedBodies ?? []);
    else
      for (const [index, from] of this.unit.ascending.entries())
        this.#account.acceptRows(from, bodies[index] as OutputBlock);
    return { at, cause };
  }

  /** Rows of this rank's own tokens for its own experts. */
  get ownRows(): number {
    const { rowOffsets } = this.#options.layout;
    const first = this.rank * this.shape.expertsPerRank;
    return rowOffsets[first + this.shape.expertsPerRank]! - rowOffsets[first]!;
  }

  #sendAll(after: Completion, bytes: Float64Array, bodies: Bodies): void {
    const { gpu, place } = this.#options;
    const targets = this.unit.otherRanks;
    gpu.send({ exchange: this.#number(0), phase: this.#phase, place, after, targets, bytes, bodies });
  }

  *#receiveAll(least: CostSequence): Program<Received> {
    const { gpu, stream } = this.#options;
    const received = yield* gpu.receive({
      exchange: this.#number(0),
      sources: this.unit.ascendingRanks,
      what: this.#waitsFor(0),
      stream,
      ...this.#promiseOf(least, this.#followedBy),
    });
    invariant(received.sources === this.unit.ascendingRanks, "every other rank sends one message");
    this.#promisedUntil = after(gpu.now, this.#leastTime(least));
    return received;
  }

  #waitsFor(part: number): string {
    const { step, layer, microBatch } = this.#options.place;
    const ofPart = part === 0 ? "" : ` (part ${part} of ${this.#options.pattern})`;
    return `${this.#phase} of layer ${layer}, micro-batch ${microBatch}, step ${step}${ofPart}`;
  }

  /** Waits for one message of a part from each of these ranks. */
  *receive<Content>(receiving: Receiving): Program<Arrived<Content>> {
    const { leastToEnd } = receiving;
    if (leastToEnd !== undefined)
      this.#faults.fail("promises kernels until the end of a relay (`leastToEnd`) in a step of its own");
    const arrived = yield* this.#receive<Content>(receiving, this.#options.stream, this.#followedBy);
    this.#promisedUntil = after(this.#options.gpu.now, this.#leastTime(receiving.least ?? [], receiving.sms));
    return arrived;
  }

  *#receive<Content>(
    { from, part = 0, least = [], sms, to, leastBeyond, leastToEnd = [] }: Receiving,
    stream: StreamName,
    followedBy: FollowedBy,
    relay?: object,
  ): Program<Arrived<Content>> {
    const { gpu } = this.#options;
    this.#faults.refuse(mistakeInSources(this.unit, from));
    this.#faults.refuse(mistakeInFirstTargets(this.unit, to, leastBeyond));
    const ranks = from.toSorted((a, b) => a - b);
    const promise = this.#promiseOf(least, followedBy, sms);
    const quietBeyond = leastBeyond && this.#promiseOf(leastBeyond, followedBy, sms).quiet;
    const towards = to && { ranks: to.map((rank) => this.unit.ranks[rank]!), quietBeyond };
    const received = yield* gpu.receive({
      exchange: this.#number(part),
      sources: ranks.map((rank) => this.unit.ranks[rank]!),
      what: this.#waitsFor(part),
      stream,
      ...promise,
      ...(towards === undefined ? {} : { towards }),
      ...(relay === undefined ? {} : { end: { of: relay, quiet: this.#leastTime(leastToEnd, sms) } }),
    });
    const isDispatch = this.#phase === "dispatch";
    const messages = received.sources.map((source, index) => {
      if (source !== this.unit.ranks[ranks[index]!]) {
        this.#faults.fail(
          `waits for messages of ranks ${this.#names(ranks)} and got one of rank ${source}${partName(part)}`,
        );
      }
      const content = received.bodies[index] as Content;
      if (isDispatch) this.#account.arrived(content);
      return { from: ranks[index]!, content };
    });
    return { at: received.at, cause: received.cause, messages };
  }

  /** The host stands still until `until`, as where it must learn sizes before it can launch more. */
  hostWaited(until: Dependency): void {
    const { gpu, place } = this.#options;
    if (gpu.isReplaying) this.#faults.fail("lets the host wait, which no captured graph can hold");
    gpu.hostWaited(until, place);
  }

  /** Runs a program beside the steps, whose kernels are on a stream of its own: a relay. */
  beside(name: string, stream: StreamName, program: (relay: Relay) => Program): Beside {
    const done = new Condition();
    const relay: Relay = { receive: (receiving) => this.#receive(receiving, stream, [], done) };
    const guarded = this.#faults.guarded(this.#relaying(program(relay)));
    const { gpu, place } = this.#options;
    this.#beside++;
    const ended = (): void => {
      this.#beside--;
      done.fulfil(gpu.now);
    };
    const run = function* (): Program {
      yield* guarded;
      ended();
    };
    gpu.beside(`${name} of layer ${place.layer}, micro-batch ${place.microBatch}`, run());
    const wait = (least: CostSequence): Program<Instant> => {
      // Another relay that waits for this one promises nothing of what follows a step.
      const isStep = this.#relays === 0;
      const { quiet, towards } = this.#promiseOf(least, isStep ? this.#followedBy : []);
      return until({
        condition: done,
        what: `its own ${name}`,
        missing: () => [],
        notBefore: isStep ? gpu.freeAt(this.#options.stream) : RUN_START,
        quiet,
        ...(towards === undefined ? {} : { towards: gpu.classesTowards(towards) }),
        inner: done,
      });
    };
    let isAwaited = false;
    const refuseAnother = (): void => {
      // What each of two did that wake in one event would follow from the placement.
      if (isAwaited) this.#faults.fail(`waits for its ${name} in two programs; one may join() it at a time`);
    };
    return {
      *join(least = []) {
        refuseAnother();
        isAwaited = true;
        yield* wait(least);
        isAwaited = false;
      },
    };
  }

  /** A relay's program, of which it is known when its code runs. */
  *#relaying(program: Program): Program {
    let at = RUN_START;
    for (;;) {
      this.#relays++;
      let next: IteratorResult<Wait, void>;
      try {
        next = program.next(at);
      } finally {
        this.#relays--;
      }
      if (next.done === true) return;
      at = yield next.value;
    }
  }

  /** A rank's rows are where this rank's experts find them. */
  keepRows(from: number, rows: RowBlock): void {
    this.#account.keepRows(from, rows);
  }

  /** Tokens whose choices are all of this rank's experts. */
  keepTokens(sets: readonly TokenSet[]): void {
    for (const set of sets) this.#account.keepTokens(set);
  }

  /** What the experts made of a rank's rows. */
  outputsFor(rank: number): OutputBlock {
    const outputs = this.#outputs[rank];
    return (
      outputs ?? this.#faults.fail(`has no outputs for rank ${this.#name(rank)}, since it kept no rows of it`)
    );
  }

  /** What the experts made of kept tokens: for each set one row a token, the weighted sum of this rank's experts. */
  get partials(): readonly TokenSet[] {
    return this.#partials;
  }

  /** Adds rows of the same tokens, in the order of the sets, and rounds the sum as the wire does. One source. */
  sum(sets: readonly TokenSet[]): TokenSet {
    const { math } = this.#options;
    if (sets.length === 0) this.#faults.fail("adds up nothing, whose source nobody knows");
    if (sets.some(({ isOutput }) => isOutput !== true))
      this.#faults.fail("adds up tokens that no expert has seen");
    return { ...(math === undefined ? joinTokens(sets) : math.sumTokens(sets)), isOutput: true };
  }

  /** Outputs for this rank's rows are there, from the rank that owned the experts. */
  acceptRows(from: number, outputs: OutputBlock): void {
    this.#account.acceptRows(from, outputs);
  }

  /** Sums for this rank's tokens are there. They are added in the order in which they are accepted. */
  acceptTokens(sets: readonly TokenSet[]): void {
    for (const set of sets) this.#account.acceptTokens(set);
  }

  // What a schedule's micro-batch uses.

  /** Runs one of the pattern's steps. */
  *run<Result>(
    step: { readonly phase: Phase; readonly followedBy: FollowedBy },
    program: Program<Result>,
  ): Program<Result> {
    this.#phase = step.phase;
    this.#followedBy = step.followedBy;
    const given = yield* this.#faults.guarded(program);
    const { at } = (given ?? {}) as Partial<Dependency>;
    if (at !== undefined && at < this.#besideUntil) {
      this.#faults.fail(
        "lets what follows a step begin before a kernel of its relay ends; what the step gives must come after it",
      );
    }
    if (at === undefined) return given;
    // Its own kernels hold their SMs until they end, also where a step waits for less.
    const until = latest(at, this.#ownLast?.at ?? RUN_START);
    if (until < this.#promisedUntil) {
      this.#faults.fail(
        `promised by \`least\` of its last wait that nothing follows before ${this.#promisedUntil} ps, and lets it at ${until} ps`,
      );
    }
    return until === at ? given : { ...given, at: until, cause: this.#ownLast!.cause };
  }

  /** Calls code of a user's file, whose pattern this is: what its code throws from now on is an error of that file. */
  callOf(file: string, code: () => unknown): unknown {
    this.#faults.file = file;
    try {
      return code();
    } catch (error) {
      throw this.#faults.told(error);
    }
  }

  /** All has been sent, kept or handed on that should be; gives the rows of each of this rank's experts. */
  checkKept(): Int32Array {
    this.#checkBeside("receiveDispatch");
    return this.#account.checkKept();
  }

  /** Runs the experts over what was kept. */
  runExperts(): void {
    const { math } = this.#options;
    // Counted rows carry nothing that could be computed.
    if (this.#account.isCounted) return;
    const rows = this.#account.takeRows();
    if (rows.length > 0) {
      const payloads = math?.runRows(
        rows.map(({ counts, payload }) => ({ counts, payload: needed(payload) })),
      );
      this.#outputs = rows.map((block, from) => new OutputBlock(block, payloads?.[from]));
      return;
    }
    const { keptTokens } = this.#account;
    const outputs = math === undefined ? keptTokens : math.runTokens(keptTokens);
    this.#partials = outputs.map((set): TokenSet => ({ ...set, isOutput: true }));
  }

  /** Every output of every token is there: sums them. */
  combine(): void {
    this.#checkBeside("receiveCombine");
    this.#account.checkAccepted();
    const { math } = this.#options;
    const { acceptedRows, acceptedTokens } = this.#account;
    if (this.#account.isCounted) return;
    if (acceptedRows.length > 0) math?.combineRows(acceptedRows.map(({ payload }) => needed(payload)));
    else math?.combineTokens(acceptedTokens);
  }

  // Details.

  #number(part: number): number {
    if (!(Number.isInteger(part) && part >= 0 && part < PARTS)) {
      this.#faults.fail(`names a part ${part}; parts are 0 to ${PARTS - 1}`);
    }
    return this.#options.numbers[this.#phase] * PARTS + part;
  }

  /** Of a wait behind which these kernels run at least, and then what follows its step. */
  #promiseOf(
    least: CostSequence,
    followedBy: FollowedBy,
    sms?: number,
  ): { readonly quiet: Duration; readonly towards?: FirstTargets } {
    if (followedBy === "report") {
      const quiet = this.#leastTime(least, sms);
      return this.#options.receivesOnly ? { quiet, towards: "scheduler" } : { quiet };
    }
    return { quiet: this.#leastTime([...least, ...followedBy], sms) };
  }

  /** What computes takes the SMs of computing kernels, and what exchanges `sms`, or the pattern's. */
  #leastTime(least: CostSequence, sms?: number): Duration {
    const { gpu, computeSms, sms: patternSms } = this.#options;
    const computing = Math.max(computeSms, patternSms ?? 0);
    const exchanging = sms ?? patternSms;
    if (exchanging === null) return gpu.durationOf(least, computing);
    const isExchange = ({ exchange }: OperationCost): boolean => exchange !== undefined;
    return picoseconds(
      gpu.durationOf(least.filter(isExchange), exchanging) +
        gpu.durationOf(
          least.filter((each) => !isExchange(each)),
          computing,
        ),
    );
  }

  #checkBeside(step: string): void {
    if (this.#beside > 0)
      this.#faults.fail(
        `ended ${step} while ${this.#beside} of its programs still ran; join() waits for them`,
      );
  }

  #names(ranks: readonly number[]): string {
    return ranks.map((rank) => this.#name(rank)).join(", ");
  }

  #name(rank: number): number {
    return this.unit.ranks[rank] ?? rank;
  }
}

/** A part of a set that is on its way back is, too. */
function partOf(part: TokenSet, { isOutput }: TokenSet): TokenSet {
  return isOutput === undefined ? part : { ...part, isOutput };
}

function partName(part: number): string {
  return part === 0 ? "" : ` in part ${part}`;
}

function needed(payload: Payload | undefined): Payload {
  invariant(payload !== undefined, "executed rows carry a payload");
  return payload;
}
