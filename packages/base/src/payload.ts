// Bytes that an event carries: passed by reference inside a thread, sent beside a frame's control part between hosts,
// never copied into it. Whoever gets a payload only reads it.

export class Payload {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** The bytes of a whole array. */
export function payloadOf({
  buffer,
}: Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>): Payload {
  return new Payload(new Uint8Array(buffer));
}

/** Its bytes as 64-bit floats, and as 32-bit integers: views. */
export function floatsOf({ bytes }: Payload): Float64Array {
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
}

export function integersOf({ bytes }: Payload): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}
