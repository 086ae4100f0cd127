// The door of the command line: for programs that want to run it in their own process, as tests do.

export { main, runProgram } from "./main.ts";
export type { Screen } from "./screen.ts";
