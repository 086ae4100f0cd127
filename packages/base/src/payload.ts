// Bytes that an event carries: passed by reference inside a thread, sent beside a frame's control part between hosts,
// never copied into it. Whoever gets a payload only reads it.

export class Payload {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}
