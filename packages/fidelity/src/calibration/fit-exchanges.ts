// The step of the calibration that fits four constants to the eight published all-to-all numbers and to nothing else.
// The loss is the mean of the squared relative errors; the method is descent along one constant at a time, with steps
// that get smaller. Each trial runs the emulated all-to-alls themselves: there is no second model that could differ.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { measureExchange } from "../measured-exchange.ts";
import {
  CALIBRATION_EXCHANGES,
  type PublishedExchange,
  type PublishedPhase,
} from "../published-exchanges.ts";
import {
  constantsBehind,
  EXCHANGE_CONSTANTS,
  type ExchangeConstants,
  MOST,
  profileWith,
} from "./exchange-constants.ts";

/** Where the search begins: round numbers of the right size. The constants at hand play no part. */
const GUESS: ExchangeConstants = {
  nicBytesPerSecond: 45e9,
  copyBytesPerSecondPerSm: 15e9,
  lowLatencyDispatchUs: 20,
  lowLatencyCombineUs: 20,
};

/** Relative steps; each is used until no constant gains by it. */
const STEPS = [0.16, 0.08, 0.04, 0.02, 0.01, 0.005, 0.0025];

export interface FittedFigure {
  readonly id: string;
  readonly published: number;
  readonly ours: number;
}

export interface Trial {
  readonly constants: ExchangeConstants;
  readonly loss: number;
  readonly figures: readonly FittedFigure[];
}

/** Runs the calibration's all-to-alls under any constants. By default a run that a change does not touch is not repeated. */
export class ExchangeTrials {
  readonly #remembers: boolean;
  readonly #folder: string = mkdtempSync(path.join(tmpdir(), "windtunnel-calibration-"));
  readonly #known = new Map<string, readonly FittedFigure[]>();
  #files = 0;

  constructor({ remembers = true }: { readonly remembers?: boolean } = {}) {
    this.#remembers = remembers;
  }

  at(constants: ExchangeConstants): Trial {
    const figures = CALIBRATION_EXCHANGES.flatMap((exchange) => this.#figuresOf(exchange, constants));
    const squares = figures.map(({ ours, published }) => (ours / published - 1) ** 2);
    return { constants, figures, loss: squares.reduce((sum, square) => sum + square, 0) / squares.length };
  }

  /** Removes the profiles that were tried. */
  end(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #figuresOf(exchange: PublishedExchange, constants: ExchangeConstants): readonly FittedFigure[] {
    const own = constantsBehind(exchange).map((name) => constants[name]);
    const key = [exchange.id, ...own].join(" ");
    const known = this.#known.get(key);
    if (known !== undefined && this.#remembers) return known;
    // A profile of one's own enters by its file, as a user's does.
    const file = path.join(this.#folder, `profile-${this.#files++}.json`);
    writeFileSync(file, JSON.stringify(profileWith(constants)));
    const { dispatch, combine } = measureExchange(exchange, file);
    const figures = [
      { id: `${exchange.id} dispatch`, published: microsecondsOf(exchange.dispatch), ours: dispatch.us },
      { id: `${exchange.id} combine`, published: microsecondsOf(exchange.combine), ours: combine.us },
    ];
    this.#known.set(key, figures);
    return figures;
  }
}

function microsecondsOf(phase: PublishedPhase): number {
  if ("us" in phase) return phase.us;
  throw new Error("the calibration's figures are times");
}

/** `onTrial` hears of every step that was kept. */
export function fitExchanges(trials: ExchangeTrials, onTrial: (trial: Trial) => void): Trial {
  let best = trials.at(GUESS);
  onTrial(best);
  for (const step of STEPS) {
    let moved = true;
    while (moved) {
      moved = false;
      for (const name of EXCHANGE_CONSTANTS) {
        for (const factor of [1 + step, 1 / (1 + step)]) {
          const value = Math.min(
            rounded(best.constants[name] * factor),
            MOST[name] ?? Number.POSITIVE_INFINITY,
          );
          const trial = trials.at({ ...best.constants, [name]: value });
          if (trial.loss >= best.loss) continue;
          best = trial;
          moved = true;
          onTrial(best);
          break;
        }
      }
    }
  }
  return best;
}

/** Four digits: far below the noise of the figures. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
