// The part of cli-progress that is used here; the library comes without types.
declare module "cli-progress" {
  export interface BarOptions {
    readonly format: string;
    readonly stream: NodeJS.WriteStream;
    readonly clearOnComplete: boolean;
    readonly hideCursor: boolean;
    readonly barsize: number;
    readonly barCompleteChar: string;
    readonly barIncompleteChar: string;
    readonly fps: number;
    readonly gracefulExit: boolean;
  }

  export class SingleBar {
    constructor(options: Partial<BarOptions>);
    start(total: number, startValue: number, payload?: Readonly<Record<string, string>>): void;
    setTotal(total: number): void;
    update(value: number, payload?: Readonly<Record<string, string>>): void;
    stop(): void;
  }
}
