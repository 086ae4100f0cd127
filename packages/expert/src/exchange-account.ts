// The account of one exchange on one rank: what was sent, what arrived, what was kept and what was accepted. Every choice
// of every token must reach its expert once, and every output its source once. Who breaks that is told which token of
// which rank went wrong. It knows no time and no arithmetic.

import { defined } from "@windtunnel/base";
import type { DispatchLayout } from "@windtunnel/router";
import type { ExchangeShape } from "./pattern.ts";
import { CountedOutputs, CountedRows, OutputBlock, RowBlock } from "./row-block.ts";
import { choiceCount, type TokenSet, tokensOfLayout } from "./token-set.ts";
import type { Unit } from "./unit.ts";

export interface AccountOptions {
  readonly unit: Unit;
  readonly layout: DispatchLayout;
  readonly shape: ExchangeShape;
  /** Ends the run: the pattern did this. */
  readonly fail: (what: string) => never;
}

export class ExchangeAccount {
  readonly #unit: Unit;
  readonly #rank: number;
  readonly #layout: DispatchLayout;
  readonly #expertsPerRank: number;
  readonly #options: AccountOptions;
  /** By target: whether rows for it were sent, or kept. */
  #hasRowsSent: Uint8Array | undefined;
  #hasSentAllRows = false;
  readonly #keptRows: (RowBlock | undefined)[] = [];
  readonly #acceptedRows: (OutputBlock | undefined)[] = [];
  readonly #sentTokens: TokenSet[] = [];
  readonly #arrivedTokens: TokenSet[] = [];
  readonly #keptTokens: TokenSet[] = [];
  readonly #acceptedTokens: TokenSet[] = [];
  /** Rows that are only counted: this rank's, by source, and by its own experts; whether all outputs were accepted. */
  #ownCounted: CountedRows | undefined;
  #countedFrom: Int32Array | undefined;
  #countedByExpert = new Int32Array(0);
  #hasAcceptedCounted = false;

  constructor(options: AccountOptions) {
    const { unit, layout, shape } = options;
    this.#options = options;
    this.#unit = unit;
    this.#rank = unit.rank;
    this.#layout = layout;
    this.#expertsPerRank = shape.expertsPerRank;
  }

  /** By source, and none afterwards: rows are not needed once the experts have them. None from patterns of token sets. */
  takeRows(): readonly RowBlock[] {
    return this.#keptRows.splice(0).map((rows) => defined(rows, "kept rows"));
  }

  get keptTokens(): readonly TokenSet[] {
    return this.#keptTokens;
  }

  /** By the ranks that owned the experts; none where the pattern sends token sets. */
  get acceptedRows(): readonly OutputBlock[] {
    return this.#acceptedRows.map((outputs) => defined(outputs, "accepted outputs"));
  }

  get acceptedTokens(): readonly TokenSet[] {
    return this.#acceptedTokens;
  }

  /** Rows for every other rank leave. */
  sendAllRows(): void {
    if (this.#hasSentAllRows || this.#hasRowsSent !== undefined) this.#fail("sent rows twice");
    this.#hasSentAllRows = true;
  }

  /** A message of a dispatch leaves. */
  sent(content: unknown): void {
    if (content instanceof RowBlock) {
      if (content.source !== this.#rank) return;
      if (this.#hasSentAllRows || this.#hasRowsSent?.[content.target] === 1)
        this.#fail(`sent rows of ${this.#pair(content.target)} twice`);
      this.#sendRowsTo(content.target);
    } else if (Array.isArray(content)) for (const part of content) this.sent(part);
    else if (isTokenSet(content)) this.#sentTokens.push(content);
  }

  /** A message of a dispatch is there. */
  arrived(content: unknown): void {
    if (content instanceof RowBlock) return;
    if (Array.isArray(content)) for (const part of content) this.arrived(part);
    else if (isTokenSet(content)) this.#arrivedTokens.push(content);
  }

  keepRows(from: number, rows: RowBlock): void {
    if (!(rows instanceof RowBlock)) this.#fail("kept something that is no block of rows");
    if (this.#keptRows[from] !== undefined) this.#fail(`kept the rows of rank ${this.#name(from)} twice`);
    this.#checkBlock(rows, from, this.#rank, "kept rows");
    this.#keptRows[from] = rows;
    if (from === this.#rank) this.#sendRowsTo(from);
  }

  keepOwnCounted(rows: CountedRows): void {
    this.#ownCounted = rows;
  }

  /** Whether this rank's rows were sent to all at once and are only counted. */
  get isCounted(): boolean {
    return this.#ownCounted !== undefined;
  }

  /** Rows of every rank for this one, by source, where they are only counted. */
  get countedFrom(): Int32Array | undefined {
    return this.#countedFrom;
  }

  /** Keeps counted rows of every rank, by ranks of the run, with this rank's own; gives how many there are. */
  keepAllCounted(bodies: readonly unknown[]): number {
    if (this.#countedFrom !== undefined) this.#fail("kept the rows of all ranks twice");
    const { degree, ranks } = this.#unit;
    const experts = this.#expertsPerRank;
    const first = this.#rank * experts;
    const from = new Int32Array(degree);
    const byExpert = new Int32Array(experts);
    let total = 0;
    for (let source = 0; source < degree; source++) {
      const body = source === this.#rank ? this.#ownCounted : bodies[ranks[source]!];
      if (!(body instanceof CountedRows))
        this.#fail(`lost the rows of rank ${this.#name(source)}: nobody kept them`);
      if (body.source !== source) this.#fail(`got the rows of another rank from rank ${this.#name(source)}`);
      const { offsets } = body;
      const start = offsets[first]!;
      let before = start;
      for (let expert = 0; expert < experts; expert++) {
        const end = offsets[first + expert + 1]!;
        byExpert[expert]! += end - before;
        before = end;
      }
      from[source] = before - start;
      total += before - start;
    }
    this.#countedFrom = from;
    this.#countedByExpert = byExpert;
    return total;
  }

  /** Accepts the outputs for counted rows, of every rank, by ranks of the run. */
  acceptAllCounted(bodies: readonly unknown[]): void {
    if (this.#hasAcceptedCounted) this.#fail("accepted the outputs of all ranks twice");
    const { degree, ranks } = this.#unit;
    for (let owner = 0; owner < degree; owner++) {
      const body = bodies[ranks[owner]!];
      if (owner !== this.#rank && !(body instanceof CountedOutputs && body.target === owner))
        this.#fail(`lost the outputs of rank ${this.#name(owner)}`);
    }
    this.#hasAcceptedCounted = true;
  }

  keepTokens(set: TokenSet): void {
    if (!isTokenSet(set)) this.#fail("kept something that is no token set");
    if (set.isOutput === true) this.#fail("kept outputs, which experts have made already");
    this.#checkOwners(set);
    this.#keptTokens.push(set);
  }

  acceptRows(from: number, outputs: OutputBlock): void {
    if (!(outputs instanceof OutputBlock)) this.#fail("accepted something that is no block of outputs");
    if (this.#acceptedRows[from] !== undefined) {
      this.#fail(`accepted the outputs of rank ${this.#name(from)} twice`);
    }
    this.#checkBlock(outputs, this.#rank, from, "accepted outputs");
    this.#acceptedRows[from] = outputs;
  }

  acceptTokens(set: TokenSet): void {
    if (!isTokenSet(set)) this.#fail("accepted something that is no token set");
    if (set.isOutput !== true) this.#fail("accepted tokens that no expert has seen, in place of outputs");
    if (set.source !== this.#rank) this.#fail(`accepted tokens of rank ${this.#name(set.source)} as its own`);
    this.#acceptedTokens.push(set);
  }

  /** All has been sent, kept or handed on that should be; gives the rows of each of this rank's experts. */
  checkKept(): Int32Array {
    this.#checkSent();
    if (this.#countedFrom !== undefined) return this.#countedByExpert;
    const rowsByExpert = new Int32Array(this.#expertsPerRank);
    if (this.#keptRows.length > 0) {
      for (let from = 0; from < this.#unit.degree; from++) {
        const rows =
          this.#keptRows[from] ?? this.#fail(`lost the rows of rank ${this.#name(from)}: nobody kept them`);
        for (let expert = 0; expert < rowsByExpert.length; expert++)
          rowsByExpert[expert]! += rows.countOf(expert);
      }
      return rowsByExpert;
    }
    this.#checkRelayed();
    const first = this.#rank * this.#expertsPerRank;
    for (const { experts } of this.#keptTokens) for (const expert of experts) rowsByExpert[expert - first]!++;
    return rowsByExpert;
  }

  /** Every output of every token of this rank is there. */
  checkAccepted(): void {
    if (this.#countedFrom !== undefined) {
      if (!this.#hasAcceptedCounted) this.#fail("lost outputs of other ranks");
      return;
    }
    if (this.#acceptedRows.length === 0) {
      this.#checkCoverage(this.#acceptedTokens, {
        lost: (token, expert) => `lost ${token}: it has no output of ${expert}`,
        repeated: (token, expert, often) => `gave ${token} the output of ${expert} ${often}`,
      });
      return;
    }
    for (let from = 0; from < this.#unit.degree; from++) {
      if (this.#acceptedRows[from] === undefined) this.#fail(`lost the outputs of rank ${this.#name(from)}`);
    }
  }

  #sendRowsTo(target: number): void {
    this.#hasRowsSent ??= new Uint8Array(this.#unit.degree);
    this.#hasRowsSent[target] = 1;
  }

  /** All that this rank's tokens need has been sent or kept. */
  #checkSent(): void {
    if (this.#hasSentAllRows) return;
    const hasRowsSent = this.#hasRowsSent;
    if (hasRowsSent === undefined) {
      this.#checkCoverage([...this.#sentTokens, ...this.#keptTokens], {
        lost: (token, expert) => `lost ${token}: for ${expert} it was sent to nobody`,
        repeated: (token, expert, often) => `sent ${token} to ${expert} ${often}`,
      });
      return;
    }
    for (let rank = 0; rank < this.#unit.degree; rank++) if (hasRowsSent[rank] === 0) this.#loseRows(rank);
  }

  #checkBlock(block: RowBlock | OutputBlock, source: number, target: number, what: string): void {
    if (block.source === source && block.target === target) return;
    const pair = (from: number, to: number): string =>
      `of rank ${this.#name(from)} for experts of rank ${this.#name(to)}`;
    this.#fail(`${what} ${pair(block.source, block.target)} as those ${pair(source, target)}`);
  }

  #checkOwners({ source, tokens, offsets, experts }: TokenSet): void {
    const first = this.#rank * this.#expertsPerRank;
    const strange = experts.findIndex((expert) => expert < first || expert >= first + this.#expertsPerRank);
    if (strange < 0) return;
    const token = tokens[offsets.findIndex((offset) => offset > strange) - 1]!;
    const expert = experts[strange]!;
    this.#fail(
      `kept token ${token} of rank ${this.#name(source)} for expert ${expert}, ` +
        `which lives on rank ${this.#name(this.#ownerOf(expert))}`,
    );
  }

  /** Each choice of each own token stands in exactly one of these sets. */
  #checkCoverage(sets: readonly TokenSet[], words: CoverageWords): void {
    const { tokenCount, choicesPerToken } = this.#layout;
    const seen = new Uint16Array(tokenCount * choicesPerToken);
    for (const { source, tokens, offsets, choices } of sets) {
      if (source !== this.#rank) continue;
      for (let entry = 0; entry < tokens.length; entry++) {
        const slot = tokens[entry]! * choicesPerToken;
        for (let choice = offsets[entry]!; choice < offsets[entry + 1]!; choice++) {
          seen[slot + choices[choice]!]!++;
        }
      }
    }
    const wrong = seen.findIndex((count) => count !== 1);
    if (wrong < 0) return;
    const expert = tokensOfLayout(this.#layout, this.#rank).experts[wrong]!;
    const token = `token ${Math.floor(wrong / choicesPerToken)} of rank ${this.#name(this.#rank)}`;
    const where = `expert ${expert} on rank ${this.#name(this.#ownerOf(expert))}`;
    this.#fail(
      seen[wrong] === 0 ? words.lost(token, where) : words.repeated(token, where, times(seen[wrong]!)),
    );
  }

  /** Tokens of others that came through here went on. */
  #checkRelayed(): void {
    const gone = [...this.#sentTokens, ...this.#keptTokens];
    const total = (sets: readonly TokenSet[]): number =>
      sets.reduce((sum, set) => sum + (set.source === this.#rank ? 0 : choiceCount(set)), 0);
    if (total(this.#arrivedTokens) === total(gone)) return;
    const [arrived, handled] = [this.#tally(this.#arrivedTokens), this.#tally(gone)];
    for (const key of new Set([...arrived.keys(), ...handled.keys()])) {
      const [before = 0, after = 0] = [arrived.get(key), handled.get(key)];
      if (before === after) continue;
      const [source, token, expert] = key.split(" ").map(Number);
      const what = `token ${token} of rank ${this.#name(source!)} for expert ${expert}`;
      const here = `rank ${this.#name(this.#rank)}`;
      this.#fail(
        before > after
          ? `lost ${what}: it came to ${here} and went no further`
          : `handled ${what} ${times(after)} on ${here}, where it came ${times(before)}`,
      );
    }
  }

  /** How often each choice of others' tokens stands in the sets, by source, token and expert. */
  #tally(sets: readonly TokenSet[]): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { source, tokens, offsets, experts } of sets) {
      if (source === this.#rank) continue;
      for (let entry = 0; entry < tokens.length; entry++) {
        for (let choice = offsets[entry]!; choice < offsets[entry + 1]!; choice++) {
          const key = `${source} ${tokens[entry]!} ${experts[choice]!}`;
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      }
    }
    return counts;
  }

  #loseRows(rank: number): void {
    const { slotOfRow, rowOffsets, choicesPerToken } = this.#layout;
    const first = rowOffsets[rank * this.#expertsPerRank]!;
    const end = rowOffsets[(rank + 1) * this.#expertsPerRank]!;
    const pair = this.#pair(rank);
    if (first === end)
      this.#fail(`sent no rows from ${pair}, which waits for their number even when it is zero`);
    const token = Math.floor(slotOfRow[first]! / choicesPerToken);
    this.#fail(
      `lost rows from ${pair}: nobody sent the ${end - first}, of which token ${token} is the first`,
    );
  }

  #ownerOf(expert: number): number {
    return Math.floor(expert / this.#expertsPerRank);
  }

  #pair(target: number): string {
    return `rank ${this.#name(this.#rank)} to rank ${this.#name(target)}`;
  }

  /** A rank of the unit by its number in the run. */
  #name(rank: number): number {
    return this.#unit.ranks[rank] ?? rank;
  }

  #fail(what: string): never {
    return this.#options.fail(what);
  }
}

/** What is said of a choice that stands in no set, or in several. */
interface CoverageWords {
  readonly lost: (token: string, expert: string) => string;
  readonly repeated: (token: string, expert: string, often: string) => string;
}

function isObject(content: unknown): content is object {
  return typeof content === "object" && content !== null;
}

function isTokenSet(content: unknown): content is TokenSet {
  return isObject(content) && "tokens" in content && "offsets" in content;
}

function times(count: number): string {
  return ["never", "once", "twice"][count] ?? `${count} times`;
}
