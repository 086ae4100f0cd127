// What events carry beside their keys. A host has one store for it, in slots; an event names a slot, and whoever handles
// the event owns the slot. For another host, slots and bodies are packed into plain data, all of a round at once.

import { invariant } from "@windtunnel/base";

export interface Cargo {
  /** Contents of slots, and bodies of events, as plain data and byte arrays; the slots are free afterwards. */
  pack(slots: readonly number[], bodies: readonly unknown[]): unknown;
  /** The same on another host, in the same order. */
  unpack(packed: unknown): { readonly slots: readonly number[]; readonly bodies: readonly unknown[] };
}

/** Of a run whose events carry plain bodies and no slots. */
export const plainCargo: Cargo = {
  pack: (slots, bodies) => {
    invariant(slots.length === 0, "plain cargo has no slots");
    return bodies;
  },
  unpack: (packed) => ({ slots: [], bodies: packed as readonly unknown[] }),
};
