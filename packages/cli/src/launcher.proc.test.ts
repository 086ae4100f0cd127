// The launcher itself (bin/windtunnel.js). An older Node is played by a preload that changes what it says of itself,
// in the first process only.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const launcher = fileURLToPath(new URL("../bin/windtunnel.js", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "windtunnel-launcher-"));
afterAll(() => rmSync(folder, { recursive: true }));

const AS_NODE_20 =
  "data:text/javascript,if(!process.env.WINDTUNNEL_HANDED_OVER)" +
  'Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.0.0"}})';

/** Says its process id and then waits, as a long run does. */
const WAITING = `data:text/javascript,if(process.env.WINDTUNNEL_HANDED_OVER){
  process.on("SIGINT",()=>process.exit(130));
  process.on("SIGTERM",()=>process.exit(143));
  setInterval(()=>{},1000);
  console.log("waiting "+process.pid);
}`.replaceAll("\n", "");

/** Hears of signals, but never has the time, as with an endless loop in a user's schedule. */
const STUCK = `data:text/javascript,if(process.env.WINDTUNNEL_HANDED_OVER){
  process.on("SIGINT",()=>{});
  console.log("stuck v3-tiny");
  for(;;);
}`.replaceAll("\n", "");

/** Says that it ends, and takes longer than a command may that says nothing. */
const SLOW_TO_END = `data:text/javascript,if(process.env.WINDTUNNEL_HANDED_OVER){
  process.on("SIGINT",()=>{process.send("ending");setTimeout(()=>process.exit(130),2500)});
  setInterval(()=>{},1000);
}`.replaceAll("\n", "");

async function startWaiting(
  preload: string = WAITING,
): Promise<{ launched: ChildProcessWithoutNullStreams; inner: number }> {
  const launched = spawn(process.execPath, ["--import", AS_NODE_20, "--import", preload, launcher, "models"]);
  let said = "";
  // The table comes once the command listens to its launcher.
  while (!said.includes("v3-tiny")) said += String(await once(launched.stdout, "data"));
  return { launched, inner: Number(/waiting (\d+)/.exec(said)?.[1]) };
}

describe("the launcher", () => {
  test("runs the command at once on Node 24", () => {
    const { status, stdout } = spawnSync(process.execPath, [launcher, "--version"], { encoding: "utf8" });
    expect([status, stdout.trim()]).toEqual([0, "0.1.0"]);
  });

  test("hands over to the Node that npm installed, with arguments, output and exit code", () => {
    const argv = ["--import", AS_NODE_20, launcher];
    const good = spawnSync(process.execPath, [...argv, "models", "--json"], { encoding: "utf8" });
    expect([good.status, good.stderr]).toEqual([0, ""]);
    expect(good.stdout).toContain("v3-scale");
    expect(spawnSync(process.execPath, [...argv, "rnu"]).status).toBe(2);
  });

  test("says what is wrong where no Node 24 is installed", () => {
    const alone = path.join(folder, "windtunnel.mjs");
    copyFileSync(launcher, alone);
    const { status, stderr } = spawnSync(process.execPath, ["--import", AS_NODE_20, alone], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^windtunnel needs Node 24 or later\. This is Node 20\.0\.0 .*, and\n.*run: npm ci\n$/,
    );
  });

  test.skipIf(process.platform === "win32").each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("passes %s on and ends as the command does", async (signal, exitCode) => {
    const { launched } = await startWaiting();
    launched.kill(signal);
    expect(await once(launched, "exit")).toEqual([exitCode, null]);
  });

  test.skipIf(process.platform === "win32").each([
    ["two seconds after Ctrl-C", 1],
    ["at the second Ctrl-C", 2],
  ])("kills a command that does not react, %s, and ends of Ctrl-C itself", async (_when, times) => {
    const { launched } = await startWaiting(STUCK);
    const ended = once(launched, "exit");
    const said = once(launched.stderr, "data");
    const start = performance.now();
    launched.kill("SIGINT");
    if (times === 2) setTimeout(() => launched.kill("SIGINT"), 500);
    expect(await ended).toEqual([null, "SIGINT"]);
    const took = performance.now() - start;
    expect(took > 1900).toBe(times === 1);
    expect(String(await said)).toContain("did not react to SIGINT");
  });

  test.skipIf(process.platform === "win32")(
    "lets a command that says it is ending take its time",
    async () => {
      const { launched } = await startWaiting(SLOW_TO_END);
      const ended = once(launched, "exit");
      launched.kill("SIGINT");
      setTimeout(() => launched.kill("SIGINT"), 500);
      expect(await ended).toEqual([130, null]);
    },
  );

  test.skipIf(process.platform === "win32")("takes the command with it when it is killed", async () => {
    const { launched, inner } = await startWaiting();
    const outputEnd = once(launched.stdout, "close"); // the command holds the other end until it is gone
    launched.kill("SIGKILL");
    await outputEnd;
    expect(inner).toBeGreaterThan(0);
  });
});
