// `npm run calibrate`: fits the cost model's constants to the published calibration figures, prints how well they meet
// them, and writes `constants.json`, which names the figures behind each. A test says when that is out of date.

import { writeFileSync } from "node:fs";
import { CALIBRATION_STEPS, constantsFile } from "./calibration-steps.ts";
import { renderRows } from "./report.ts";

const results = CALIBRATION_STEPS.map((step) => ({ name: step.name, ...step.fit() }));
for (const { name, constants, rows } of results) {
  console.log(renderRows(rows));
  console.log(`\n${name}:`);
  for (const [constant, { value }] of Object.entries(constants))
    console.log(`  ${constant.padEnd(28)}${value}`);
}
const text = JSON.stringify(constantsFile(results), undefined, 2);
writeFileSync(new URL("constants.json", import.meta.url), `${text}\n`);
