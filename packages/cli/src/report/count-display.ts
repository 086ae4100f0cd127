// Which of several measurements goes on, in one line on standard error; nothing at all where standard error is no terminal.
// A measurement keeps the thread to itself: the line is written before each one and by no timer, and the terminal is left
// as it is, since a signal then ends the command at once.

import type { Screen } from "../screen.ts";
import { SCREEN_WIDTH, shorten } from "./table.ts";

export interface CountDisplay {
  /** Before measurement `index` of `count`. */
  begin(index: number, count: number, name: string): void;
  /** Takes the line away again. */
  stop(): void;
}

const CLEARED = "\r\u001B[K";

export function createCountDisplay({ progressStream }: Screen, title: string): CountDisplay {
  return {
    begin(index, count, name) {
      const line = shorten(`${title}: ${index + 1} of ${count}, ${name} …`, SCREEN_WIDTH - 1);
      progressStream?.write(`${CLEARED}${line}`);
    },
    stop: () => void progressStream?.write(CLEARED),
  };
}
