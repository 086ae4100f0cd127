// The second step of `npm run calibrate`: fits the constants of dispatch and combine, prints every figure beside ours,
// and writes `exchange-constants.json` of the gpu package, which names the figures behind each constant. It comes after
// the step of the kernels, whose constants it takes as they are.

import { writeFileSync } from "node:fs";
import { CALIBRATION_EXCHANGES } from "../published-exchanges.ts";
import { constantsBehind, EXCHANGE_CONSTANTS, type ExchangeConstants } from "./exchange-constants.ts";
import { ExchangeTrials, fitExchanges, type Trial } from "./fit-exchanges.ts";

const FILE: URL = new URL("calibration/exchange-constants.json", import.meta.resolve("@windtunnel/gpu"));

function constantsText(constants: ExchangeConstants): string {
  const exchanges = EXCHANGE_CONSTANTS.map((name) => {
    const fittedTo = CALIBRATION_EXCHANGES.filter((exchange) => constantsBehind(exchange).includes(name));
    return [name, { value: constants[name], fittedTo: fittedTo.flatMap(({ id }) => figuresOf(name, id)) }];
  });
  return `${JSON.stringify({ writtenBy: "npm run calibrate", exchanges: Object.fromEntries(exchanges) }, undefined, 2)}\n`;
}

/** The fixed time of either low-latency kernel makes its own phase alone. */
function figuresOf(name: string, id: string): string[] {
  const figures = [`${id} dispatch`, `${id} combine`];
  if (name === "lowLatencyDispatchUs") return figures.slice(0, 1);
  return name === "lowLatencyCombineUs" ? figures.slice(1) : figures;
}

function rendered({ constants, figures, loss }: Trial): string {
  const rows = figures.map(({ id, published, ours }) => {
    const numbers = [published.toFixed(0), ours.toFixed(1), `${(100 * (ours / published - 1)).toFixed(1)} %`];
    return `  ${id.padEnd(46)}${numbers.map((number) => number.padStart(10)).join("")}  us`;
  });
  const fitted = EXCHANGE_CONSTANTS.map((name) => `  ${name.padEnd(28)}${constants[name]}`);
  return [
    "\nall-to-all: dispatch and combine (DeepEP on H800, docs/legacy.md)",
    ...rows,
    `  ${figures.length} figures: root mean square error ${(100 * Math.sqrt(loss)).toFixed(1)} %`,
    "\nexchanges:",
    ...fitted,
  ].join("\n");
}

const trials = new ExchangeTrials();
try {
  let steps = 0;
  const best = fitExchanges(trials, ({ loss }) => {
    console.error(
      `all-to-all, step ${++steps}: root mean square error ${(100 * Math.sqrt(loss)).toFixed(2)} %`,
    );
  });
  console.log(rendered(best));
  writeFileSync(FILE, constantsText(best.constants));
} finally {
  trials.end();
}
