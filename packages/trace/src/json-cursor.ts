// Goes through JSON text piece by piece, for files that are too long to be parsed at once: the members of an object and
// the elements of a list one after the other. It finds where a value ends by its brackets and strings, and leaves what
// stands between them to JSON.parse. Every piece is taken, so at its end the whole text has been checked.

import { invariant } from "@windtunnel/base";

/** The text is no JSON; the message says what was wrong, and at which byte. */
export class JsonDamage extends Error {}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

export class JsonCursor {
  readonly #text: Buffer;
  #at: number;

  /** Begins at the text's one value, behind a byte-order mark. */
  constructor(text: Buffer) {
    this.#text = text;
    this.#at = text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf ? 3 : 0;
    this.#skipSpace();
  }

  /** Whether a list begins here. */
  get isAtList(): boolean {
    return this.#text[this.#at] === OPEN_LIST;
  }

  /** The names of the object that begins here, each with the cursor at its value, which the caller takes. */
  *members(): Generator<string, void, undefined> {
    this.#expect(OPEN_OBJECT);
    if (this.#passes(CLOSE_OBJECT)) return;
    do {
      if (this.#text[this.#at] !== QUOTE) throw this.#damage("a field's name");
      const name = String(this.value());
      this.#expect(COLON);
      const before = this.#at;
      yield name;
      invariant(this.#at > before, `nobody took the value of ${name}`);
    } while (this.#continues(CLOSE_OBJECT));
  }

  /** The elements of the list that begins here. */
  *elements(): Generator<unknown, void, undefined> {
    this.#expect(OPEN_LIST);
    if (this.#passes(CLOSE_LIST)) return;
    do yield this.value();
    while (this.#continues(CLOSE_LIST));
  }

  /** Takes the value that begins here as a whole. */
  value(): unknown {
    const start = this.#at;
    const end = this.#endOfValue();
    try {
      const value = JSON.parse(this.#text.toString("utf8", start, end)) as unknown;
      this.#at = end;
      this.#skipSpace();
      return value;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new JsonDamage(`${error.message}, in what begins at byte ${start}`);
    }
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#at < this.#text.length) throw this.#damage("the end");
  }

  /** Passes a comma, behind which something must follow, or the closing bracket. */
  #continues(closing: number): boolean {
    if (this.#passes(closing)) return false;
    this.#expect(COMMA);
    return true;
  }

  #passes(byte: number): boolean {
    if (this.#text[this.#at] !== byte) return false;
    this.#at += 1;
    this.#skipSpace();
    return true;
  }

  #expect(byte: number): void {
    if (!this.#passes(byte)) throw this.#damage(JSON.stringify(String.fromCharCode(byte)));
  }

  #skipSpace(): void {
    while (isSpace(this.#text[this.#at])) this.#at += 1;
  }

  #endOfValue(): number {
    const text = this.#text;
    const start = this.#at;
    if (text[start] === QUOTE) return this.#endOfString(start);
    if (text[start] !== OPEN_LIST && text[start] !== OPEN_OBJECT) {
      let at = start;
      while (at < text.length && !isSeparator(text[at]!)) at += 1;
      if (at === start) throw this.#damage("a value");
      return at;
    }
    let depth = 0;
    for (let at = start; at < text.length; at++) {
      const byte = text[at]!;
      if (byte === QUOTE) at = this.#endOfString(at) - 1;
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1;
      else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
        depth -= 1;
        if (depth === 0) return at + 1;
      }
    }
    throw this.#cutOff(start);
  }

  #endOfString(start: number): number {
    const text = this.#text;
    for (let at = start + 1; at < text.length; at++) {
      if (text[at] === BACKSLASH) at += 1;
      else if (text[at] === QUOTE) return at + 1;
    }
    throw this.#cutOff(start);
  }

  #cutOff(start: number): JsonDamage {
    return new JsonDamage(`it ends after ${this.#text.length} bytes, inside of what begins at byte ${start}`);
  }

  #damage(expected: string): JsonDamage {
    const at = this.#at;
    if (at >= this.#text.length) return new JsonDamage(`it ends after ${at} bytes, before ${expected}`);
    const found = JSON.stringify(this.#text.toString("utf8", at, at + 12));
    return new JsonDamage(`${found} at byte ${at}, where ${expected} belongs`);
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isSeparator(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_LIST || byte === CLOSE_OBJECT || byte === COLON || isSpace(byte);
}
