// Processor time of a thread. What the system counts for `process.threadCpuUsage` is brought up to date by its timer, every
// few milliseconds, and a round of windows may be shorter. WASI has the exact clock.

import process from "node:process";

/** `clock_time_get` of WASI, Preview 1: writes nanoseconds at an address of the memory. */
type ClockTimeGet = (clock: number, precision: bigint, address: number) => number;
const THREAD_CPUTIME_ID = 3;

/**
 * WASI writes into the memory of a module that exports it:
 * (module
 *   (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
 *   (memory (export "memory") 1)
 *   (export "time" (func 0)))
 */
const MODULE =
  "AGFzbQEAAAABCAFgA39+fwF/AikBFndhc2lfc25hcHNob3RfcHJldmlldzEOY2xvY2tfdGltZV9nZXQAAAUDAQABBxECBm1lbW9yeQIABHRpbWUAAA==";

/** A clock of the thread that calls it: processor time so far, in microseconds. */
export function createThreadClock(): () => number {
  const WASI = loadWasi();
  const wasi = new WASI({ version: "preview1" });
  const module = new WebAssembly.Module(Buffer.from(MODULE, "base64"));
  const instance = new WebAssembly.Instance(
    module,
    wasi.getImportObject() as Record<string, Record<string, CallableFunction>>,
  );
  wasi.initialize(instance);
  const { time, memory } = instance.exports as unknown as {
    readonly time: ClockTimeGet;
    readonly memory: WebAssembly.Memory;
  };
  const nanoseconds = new BigUint64Array(memory.buffer, 0, 1);
  if (time(THREAD_CPUTIME_ID, 0n, 0) !== 0) return coarseTime;
  return () => {
    time(THREAD_CPUTIME_ID, 0n, 0);
    return Number(nanoseconds[0]!) / 1e3;
  };
}

/** Node remarks that its WASI is experimental; whoever runs an emulation can do nothing about it. */
function loadWasi(): typeof import("node:wasi").WASI {
  const emitWarning: unknown = Reflect.get(process, "emitWarning");
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule("node:wasi").WASI;
  } finally {
    Reflect.set(process, "emitWarning", emitWarning);
  }
}

function coarseTime(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
