// Hosts of one thread.

import type { WindowExchange, WindowMessage } from "../index.ts";

/** An exchange between hosts of one thread: each round completes when all have given their messages. */
export function createRoundTable(hostCount: number): WindowExchange[] {
  let given: {
    self: number;
    messages: readonly WindowMessage[];
    resolve: (m: (WindowMessage | undefined)[]) => void;
  }[] = [];
  return Array.from({ length: hostCount }, (_, self) => ({
    self,
    hostCount,
    swap: (messages: readonly WindowMessage[]) =>
      new Promise<(WindowMessage | undefined)[]>((resolve) => {
        given.push({ self, messages, resolve });
        if (given.length < hostCount) return;
        const all = given;
        given = [];
        const ordered = all.toSorted((a, b) => a.self - b.self);
        for (const host of all) {
          host.resolve(
            ordered.map((peer) => (peer.self === host.self ? undefined : peer.messages[host.self])),
          );
        }
      }),
  }));
}
