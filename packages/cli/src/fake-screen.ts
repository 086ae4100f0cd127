// A screen that remembers what was said, for tests.

import pc from "picocolors";
import type { Screen } from "./screen.ts";

export interface FakeScreen extends Screen {
  readonly printed: string[];
  readonly remarked: string[];
}

export function createFakeScreen(): FakeScreen {
  const printed: string[] = [];
  const remarked: string[] = [];
  return {
    printed,
    remarked,
    print: (text) => void printed.push(text),
    remark: (text) => void remarked.push(text),
    width: 80,
    colours: pc.createColors(false),
    remarkColours: pc.createColors(false),
  };
}
