// A file that only grows: binary blocks, lines and JSON are appended to it, and nothing is kept in memory
// beyond a small buffer of text. It does not know what is written. Every failure of the disk becomes one
// WorldError that names the file and says how many bytes are safe in it.

import { closeSync, openSync, writeSync } from "node:fs";
import { invariant, WorldError } from "@windtunnel/base";

const TEXT_BUFFER_CHARACTERS = 64 * 1024;

export class AppendedFile {
  readonly file: string;
  #descriptor: number;
  #bytesWritten = 0;
  #text = "";
  #isFailed = false;

  constructor(file: string) {
    this.file = file;
    try {
      this.#descriptor = openSync(file, "w");
    } catch (error) {
      throw diskError(error, `can't create ${file}`, { file, savedBytes: 0 });
    }
  }

  /** Bytes that the operating system has taken; buffered text is not among them. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** Whether a write failed: what follows the saved bytes would not be readable, so nothing is written any more. */
  get isFailed(): boolean {
    return this.#isFailed;
  }

  /** Appends all of `bytes`; the caller may reuse its buffer afterwards. */
  write(bytes: Uint8Array): void {
    invariant(this.#descriptor >= 0 && !this.#isFailed, `${this.file} is closed or failed already`);
    let offset = 0;
    while (offset < bytes.length) {
      try {
        const count = writeSync(this.#descriptor, bytes, offset, bytes.length - offset);
        offset += count;
        this.#bytesWritten += count;
      } catch (error) {
        this.#isFailed = true;
        const saved = this.#bytesWritten;
        throw diskError(error, `writing ${this.file} failed after ${saved} bytes, which are saved`, {
          file: this.file,
          savedBytes: saved,
        });
      }
    }
  }

  /** Appends text, buffered until some 64 KiB are together. */
  writeText(text: string): void {
    this.#text += text;
    if (this.#text.length >= TEXT_BUFFER_CHARACTERS) this.#flushText();
  }

  /** Writes what is buffered and closes; after a failed write it only closes. */
  close(): void {
    if (this.#descriptor < 0) return;
    try {
      if (!this.#isFailed) this.#flushText();
    } finally {
      closeSync(this.#descriptor);
      this.#descriptor = -1;
    }
  }

  #flushText(): void {
    if (this.#text.length === 0) return;
    const bytes = Buffer.from(this.#text);
    this.#text = "";
    this.write(bytes);
  }
}

/** The error of a system call on a file as a WorldError; anything else is returned as it is. */
export function diskError(error: unknown, message: string, details: Record<string, unknown>): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const advice = error.code === "ENOSPC" ? "; free some space or choose another output folder" : "";
  return new WorldError("disk", `${message}: ${error.message}${advice}`, { ...details, cause: error.code });
}
