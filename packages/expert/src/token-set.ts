// Tokens of one source on their way: each stands once, with those of its choices that the message is for. Messages of
// patterns that do not copy a token for each expert carry such sets; relays split them, and sum them on the way back.
// Plain data, since it crosses hosts. Pure functions; what they give may share arrays with what they got.

import { invariant, Payload } from "@windtunnel/base";
import type { DispatchLayout } from "@windtunnel/router";

export interface TokenSet {
  /** The rank of the unit that the tokens belong to. */
  readonly source: number;
  /** [entries]: the token's index at its source, ascending. */
  readonly tokens: Int32Array;
  /** [entries + 1]: choices offsets[i] … offsets[i + 1] belong to entry i. */
  readonly offsets: Int32Array;
  /** Physical expert of each choice, in the order of a token's choices. */
  readonly experts: Int32Array;
  /** Which of its token's choices each one is. */
  readonly choices: Uint8Array;
  /** Gate weight of each choice; absent where nothing is executed. */
  readonly weights?: Float32Array;
  /** A row for each entry, in the wire's form, side by side; absent where nothing is executed. */
  readonly rows?: Payload;
  /** On their way back: rows are sums of what experts made of the tokens. */
  readonly isOutput?: true;
}

export function choiceCount(set: TokenSet): number {
  return set.offsets[set.tokens.length]!;
}

function bytesOfRow({ rows, tokens }: TokenSet): number {
  return rows === undefined || tokens.length === 0 ? 0 : rows.bytes.byteLength / tokens.length;
}

/** What executed tokens carry. */
export interface TokenPayload {
  /** [tokens, choices] */
  readonly weights: Float32Array;
  /** [tokens, bytes of a row] */
  readonly rows: Payload;
}

type TokenList = Omit<TokenSet, "source" | "rows" | "weights">;

// Without payload, lists depend on the layout alone; ranks with the same layout share them and their parts.
const lists = new WeakMap<DispatchLayout, TokenList>();

/** All tokens of a layout with all their choices. */
export function tokensOfLayout(layout: DispatchLayout, source: number, payload?: TokenPayload): TokenSet {
  let list = lists.get(layout);
  if (list === undefined) lists.set(layout, (list = listTokens(layout)));
  return { source, ...list, ...payload };
}

function listTokens({ tokenCount, choicesPerToken, rowOffsets, rowOfSlot }: DispatchLayout): TokenList {
  const slots = tokenCount * choicesPerToken;
  const expertOfRow = new Int32Array(slots);
  for (let expert = 0; expert + 1 < rowOffsets.length; expert++) {
    expertOfRow.fill(expert, rowOffsets[expert], rowOffsets[expert + 1]);
  }
  return {
    tokens: Int32Array.from({ length: tokenCount }, (_, token) => token),
    offsets: Int32Array.from({ length: tokenCount + 1 }, (_, token) => token * choicesPerToken),
    experts: Int32Array.from({ length: slots }, (_, slot) => expertOfRow[rowOfSlot[slot]!]!),
    choices: Uint8Array.from({ length: slots }, (_, slot) => slot % choicesPerToken),
  };
}

/** How a set is split: by the groups that the owners of its choices belong to; choices of group -1 are left out. */
export interface RankGroups {
  /** [ranks of the unit] */
  readonly groupOfRank: Int32Array;
  readonly groupCount: number;
  readonly expertsPerRank: number;
}

/** Parts of lists without payload, by the list's experts and how they were made. */
const parts = new WeakMap<
  Int32Array,
  { readonly of: TokenSet; readonly byHow: Map<How, readonly TokenSet[]> }
>();
type How = RankGroups | number;

/** What `make` gives; for a set without payload it is made once. */
function remembered(set: TokenSet, how: How, make: () => readonly TokenSet[]): readonly TokenSet[] {
  if (set.rows !== undefined) return make();
  let known = parts.get(set.experts);
  if (known === undefined) parts.set(set.experts, (known = { of: set, byHow: new Map() }));
  // A set may share some arrays with another and not all.
  const { tokens, offsets, choices } = known.of;
  if (tokens !== set.tokens || offsets !== set.offsets || choices !== set.choices) return make();
  let made = known.byHow.get(how);
  if (made === undefined) known.byHow.set(how, (made = make()));
  return made.map((part) => ({ ...part, source: set.source }));
}

/** For each group the tokens that some owner in it needs, with their choices there. */
export function splitByGroup(set: TokenSet, groups: RankGroups): readonly TokenSet[] {
  return remembered(set, groups, () => divide(set, groups));
}

function divide(set: TokenSet, { groupOfRank, groupCount, expertsPerRank }: RankGroups): TokenSet[] {
  const { tokens, offsets, experts } = set;
  const entryCounts = new Int32Array(groupCount);
  const choiceCounts = new Int32Array(groupCount);
  const lastEntry = new Int32Array(groupCount).fill(-1);
  const groupOfChoice = new Int32Array(experts.length);
  for (let entry = 0; entry < tokens.length; entry++) {
    for (let choice = offsets[entry]!; choice < offsets[entry + 1]!; choice++) {
      const group = groupOfRank[Math.floor(experts[choice]! / expertsPerRank)]!;
      groupOfChoice[choice] = group;
      if (group < 0) continue;
      choiceCounts[group]!++;
      if (lastEntry[group] === entry) continue;
      lastEntry[group] = entry;
      entryCounts[group]!++;
    }
  }
  const rowBytes = bytesOfRow(set);
  const split = Array.from({ length: groupCount }, (_, group) => ({
    source: set.source,
    tokens: new Int32Array(entryCounts[group]!),
    offsets: new Int32Array(entryCounts[group]! + 1),
    experts: new Int32Array(choiceCounts[group]!),
    choices: new Uint8Array(choiceCounts[group]!),
    ...(set.weights === undefined ? {} : { weights: new Float32Array(choiceCounts[group]!) }),
    ...(set.rows === undefined ? {} : { rows: new Payload(new Uint8Array(entryCounts[group]! * rowBytes)) }),
  }));
  lastEntry.fill(-1);
  const entries = new Int32Array(groupCount);
  const filled = new Int32Array(groupCount);
  for (let entry = 0; entry < tokens.length; entry++) {
    for (let choice = offsets[entry]!; choice < offsets[entry + 1]!; choice++) {
      const group = groupOfChoice[choice]!;
      if (group < 0) continue;
      const part = split[group]!;
      if (lastEntry[group] !== entry) {
        lastEntry[group] = entry;
        const place = entries[group]!++;
        part.tokens[place] = tokens[entry]!;
        if (set.rows !== undefined) {
          const row = set.rows.bytes.subarray(entry * rowBytes, (entry + 1) * rowBytes);
          part.rows!.bytes.set(row, place * rowBytes);
        }
      }
      const place = filled[group]!++;
      part.experts[place] = experts[choice]!;
      part.choices[place] = set.choices[choice]!;
      if (set.weights !== undefined) part.weights![place] = set.weights[choice]!;
      part.offsets[entries[group]!] = place + 1;
    }
  }
  return split;
}

/** Consecutive parts of so many tokens each; the last one may be shorter. No tokens, no parts. */
export function sliceTokens(set: TokenSet, tokensPerSlice: number): readonly TokenSet[] {
  return remembered(set, tokensPerSlice, () =>
    Array.from({ length: Math.ceil(set.tokens.length / tokensPerSlice) }, (_, index) =>
      entriesOf(set, index * tokensPerSlice, Math.min(set.tokens.length, (index + 1) * tokensPerSlice)),
    ),
  );
}

function entriesOf(set: TokenSet, first: number, end: number): TokenSet {
  const { source, tokens, offsets, experts, choices, weights, rows } = set;
  const [from, to] = [offsets[first]!, offsets[end]!];
  const rowBytes = bytesOfRow(set);
  return {
    source,
    tokens: tokens.subarray(first, end),
    offsets: offsets.slice(first, end + 1).map((offset) => offset - from),
    experts: experts.subarray(from, to),
    choices: choices.subarray(from, to),
    ...(weights === undefined ? {} : { weights: weights.subarray(from, to) }),
    ...(rows === undefined
      ? {}
      : { rows: new Payload(rows.bytes.subarray(first * rowBytes, end * rowBytes)) }),
  };
}

/** The tokens that stand in any of the sets, all of one source; each with the choices of all, in the order of the sets. */
export function joinTokens(sets: readonly TokenSet[]): Omit<TokenSet, "rows" | "weights"> {
  const [head] = sets;
  invariant(head !== undefined, "nothing to join");
  let first = Number.POSITIVE_INFINITY;
  let last = -1;
  for (const { source, tokens } of sets) {
    invariant(source === head.source, "tokens of several sources have no common sum");
    if (tokens.length === 0) continue;
    first = Math.min(first, tokens[0]!);
    last = Math.max(last, tokens.at(-1)!);
  }
  // By token from the first one on: its choices, then where they go.
  const next = new Int32Array(last < 0 ? 0 : last - first + 1);
  let entries = 0;
  for (const { tokens, offsets } of sets) {
    for (let entry = 0; entry < tokens.length; entry++) {
      const place = tokens[entry]! - first;
      if (next[place] === 0) entries++;
      next[place] = next[place]! + offsets[entry + 1]! - offsets[entry]!;
    }
  }
  const joined = {
    source: head.source,
    tokens: new Int32Array(entries),
    offsets: new Int32Array(entries + 1),
  };
  let filled = 0;
  for (let place = 0, entry = 0; place < next.length; place++) {
    const count = next[place]!;
    if (count === 0) continue;
    joined.tokens[entry] = first + place;
    next[place] = filled;
    filled += count;
    joined.offsets[++entry] = filled;
  }
  const experts = new Int32Array(filled);
  const choices = new Uint8Array(filled);
  for (const set of sets) {
    for (let entry = 0; entry < set.tokens.length; entry++) {
      const place = set.tokens[entry]! - first;
      for (let choice = set.offsets[entry]!; choice < set.offsets[entry + 1]!; choice++) {
        const to = next[place]!++;
        experts[to] = set.experts[choice]!;
        choices[to] = set.choices[choice]!;
      }
    }
  }
  return { ...joined, experts, choices };
}
