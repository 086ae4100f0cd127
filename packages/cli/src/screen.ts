// What a command may say, and where: results to standard output, progress and errors to standard error.
// Colours and progress bars exist only on terminals. Commands never touch `process.stdout` themselves.

import process from "node:process";
import { isatty } from "node:tty";
import pc from "picocolors";

export type Colours = ReturnType<typeof pc.createColors>;

export interface Screen {
  /** Writes a result, and a line break after it. */
  readonly print: (text: string) => void;
  /** Writes a remark or an error, and a line break after it. */
  readonly remark: (text: string) => void;
  /** Columns of results; 80 where nobody knows. */
  readonly width: number;
  /** For results. */
  readonly colours: Colours;
  /** For remarks and errors. */
  readonly remarkColours: Colours;
  /** Where a progress bar may be drawn; missing where nobody watches. */
  readonly progressStream?: NodeJS.WriteStream;
}

/**
 * The process's own terminal, or whatever it is redirected to. `isData`: results are read by a program, so what others
 * say to standard output (`console.log` in a user's schedule, also in a worker thread) goes to standard error.
 */
export function processScreen({ isData = false }: { readonly isData?: boolean } = {}): Screen {
  const { stdout, stderr, env } = process;
  const write = stdout.write.bind(stdout);
  if (isData) stdout.write = stderr.write.bind(stderr);
  const wantsColour = env["NO_COLOR"] === undefined && env["TERM"] !== "dumb";
  return {
    print: (text) => void write(`${text}\n`),
    remark: (text) => void stderr.write(`${text}\n`),
    width: stdout.columns ?? 80,
    colours: pc.createColors(wantsColour && isatty(1)),
    remarkColours: pc.createColors(wantsColour && isatty(2)),
    ...(isatty(2) ? { progressStream: stderr } : {}),
  };
}
