// TypeScript ships WebAssembly's types with the browser's; this declares the part that Node and we share.
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: ArrayBufferLike;
    grow(pages: number): number;
  }
  // oxlint-disable-next-line typescript/no-extraneous-class -- it is the host's class; nothing of it but its maker is used
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
}
