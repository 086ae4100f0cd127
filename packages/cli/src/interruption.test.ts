import process from "node:process";
import { describe, expect, test } from "vitest";
import { createFakeScreen } from "./fake-screen.ts";
import { interruptible } from "./interruption.ts";

/** Work that ends only when it is told to, and takes a while to put everything away. */
function endlessWork(log: string[]): (signal: AbortSignal) => Promise<void> {
  return (signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        setTimeout(() => {
          log.push("all hosts are down");
          reject(new Error("aborted"));
        }, 20);
      });
    });
}

describe("a signal", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("%s ends the work, waits for it, and gives %i", async (name, exitCode) => {
    const screen = createFakeScreen();
    const log: string[] = [];
    const ending = interruptible(screen, endlessWork(log));
    process.emit(name, name);
    process.emit("SIGINT", "SIGINT"); // an impatient second one changes nothing
    await expect(ending).rejects.toMatchObject({ name: "Interrupted", exitCode });
    expect(log).toEqual(["all hosts are down"]);
    expect(screen.remarked).toEqual([`${name}: ending the run and all of its hosts …`]);
    expect(process.listenerCount(name)).toBe(0);
  });

  test("that never comes changes nothing", async () => {
    const screen = createFakeScreen();
    await expect(interruptible(screen, () => Promise.resolve(7))).resolves.toBe(7);
    await expect(interruptible(screen, () => Promise.reject(new Error("own")))).rejects.toThrow("own");
    expect(screen.remarked).toEqual([]);
  });
});
