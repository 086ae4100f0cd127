// Several programs of one process: they wake each other, promise together, and keep their own promises apart.

import { type Duration, type Instant, NEVER, NO_TIME, RUN_START } from "@windtunnel/base";
import { describe, expect, test } from "vitest";
import { Condition, type Program, ProgramSet, until, type Wait } from "./index.ts";

const at = (instant: number): Instant => instant as Instant;

function waitFor(condition: Condition, promise: { notBefore?: number; quiet?: number } = {}): Wait {
  const { notBefore = 0, quiet = 0 } = promise;
  const name = { what: "something", missing: () => [] };
  return { condition, ...name, notBefore: at(notBefore), quiet: quiet as Duration };
}

/** Fulfils a condition as an event at `now` does. */
function fulfil(programs: ProgramSet, condition: Condition, now: number): void {
  programs.advanceTo(at(now));
  condition.fulfil(at(now));
}

describe("several programs of one process", () => {
  test("promise together what the least of them promises", () => {
    const programs = new ProgramSet("rank 0");
    const [first, second] = [new Condition(), new Condition()];
    programs.start("one", until(waitFor(first, { notBefore: 30, quiet: 4 })) as Program<never>);
    expect(programs.outlook).toEqual({ notBefore: 30, quiet: 4 });
    programs.start("two", until(waitFor(second, { notBefore: 20, quiet: 9 })) as Program<never>);
    expect(programs.outlook).toEqual({ notBefore: 20, quiet: 4 });
    fulfil(programs, first, 50);
    expect(programs.outlook).toEqual({ notBefore: 20, quiet: 9 });
    fulfil(programs, second, 60);
    // Nobody is left: nothing is promised, and nothing is sent.
    expect(programs.outlook).toEqual({ notBefore: RUN_START, quiet: NO_TIME });
    expect(programs.waiting()).toEqual([]);
  });

  test("run under their own promises, also where one wakes another in the middle of its own turn", () => {
    const programs = new ProgramSet("rank 0");
    const [arrival, handed] = [new Condition(), new Condition()];
    const seen: [string, number][] = [];
    const note = (where: string): void => void seen.push([where, programs.promisedTo(0)]);
    function* main(): Program {
      yield* until(waitFor(handed, { quiet: 7 }));
      note("main");
    }
    function* relay(): Program {
      yield* until(waitFor(arrival, { quiet: 3 }));
      note("relay before");
      handed.fulfil(at(100));
      note("relay after");
    }
    programs.start("main", main());
    programs.start("relay", relay());
    fulfil(programs, arrival, 100);
    expect(seen).toEqual([
      ["relay before", 103],
      ["main", 107],
      ["relay after", 103],
    ]);
    expect(programs.promisedTo(0)).toBe(RUN_START);
  });

  test("one that is started keeps the promise of the one that starts it, since others go by that", () => {
    const programs = new ProgramSet("rank 0");
    const [arrival, message] = [new Condition(), new Condition()];
    const seen: number[] = [];
    function* relay(): Program {
      seen.push(programs.promisedTo(0));
      yield* until(waitFor(message));
      seen.push(programs.promisedTo(0));
    }
    function* main(): Program {
      yield* until(waitFor(arrival, { quiet: 50 }));
      programs.start("relay", relay());
    }
    programs.start("main", main());
    // At 100 others know that nothing leaves before 150; a message at 110 must not draw an answer before.
    fulfil(programs, arrival, 100);
    fulfil(programs, message, 110);
    expect(seen).toEqual([150, 150]);
  });

  test("a promise once made lasts: a later wait that promises less does not take it back", () => {
    const programs = new ProgramSet("rank 0");
    const [first, second] = [new Condition(), new Condition()];
    const seen: number[] = [];
    function* main(): Program {
      yield* until(waitFor(first, { notBefore: 80 }));
      seen.push(programs.promisedTo(0));
      yield* until(waitFor(second, { quiet: 2 }));
      seen.push(programs.promisedTo(0));
    }
    programs.start("main", main());
    fulfil(programs, first, 10);
    fulfil(programs, second, 20);
    expect(seen).toEqual([80, 80]);
  });

  test("promise more towards processes that they send to later, or never", () => {
    const programs = new ProgramSet("rank 0");
    const [first, second, third] = [new Condition(), new Condition(), new Condition()];
    const seen: number[][] = [];
    const note = (): void => void seen.push([0, 1, 2].map((each) => programs.promisedTo(each)));
    const towards = (quietBeyond: number | undefined): NonNullable<Wait["towards"]> => ({
      classes: [1],
      quietBeyond: quietBeyond as Duration | undefined,
    });
    function* main(): Program {
      yield* until({ ...waitFor(first, { quiet: 5 }), towards: towards(30) });
      note();
      yield* until(waitFor(third, { quiet: 1 }));
      note();
      yield* until({ ...waitFor(second, { quiet: 1 }), towards: towards(undefined) });
      note();
    }
    programs.start("main", main());
    fulfil(programs, first, 100);
    fulfil(programs, third, 120);
    fulfil(programs, second, 122);
    expect(seen).toEqual([
      [130, 105, 130],
      [130, 121, 130],
      [NEVER, 123, NEVER],
    ]);
  });

  test("promise nothing else before they have been told something, and anew from then on", () => {
    const programs = new ProgramSet("rank 0");
    const [arrival, plan] = [new Condition(), new Condition()];
    const seen: number[][] = [];
    const note = (): void => void seen.push([0, 1].map((each) => programs.promisedTo(each)));
    function* main(): Program {
      yield* until({
        ...waitFor(arrival, { quiet: 5 }),
        towards: { classes: [1], quietBeyond: "told" },
      });
      note();
      yield* until({ ...waitFor(plan, { quiet: 1 }), isTold: true });
      note();
    }
    programs.start("main", main());
    fulfil(programs, arrival, 100);
    fulfil(programs, plan, 102);
    expect(seen).toEqual([
      [NEVER, 105],
      [103, 103],
    ]);
  });

  test("that wait for another one's end promise behind what that one has promised of it", () => {
    const programs = new ProgramSet("rank 0");
    const [first, second, done] = [new Condition(), new Condition(), new Condition()];
    const end = (quiet: number): NonNullable<Wait["end"]> => ({ of: done, quiet: quiet as Duration });
    const seen: number[] = [];
    function* relay(): Program {
      yield* until({ ...waitFor(first), end: end(60) });
      done.fulfil(yield* until({ ...waitFor(second), end: end(20) }));
    }
    function* main(): Program {
      yield* until({ ...waitFor(done, { quiet: 7 }), inner: done });
      seen.push(programs.promisedTo(0));
    }
    programs.start("relay", relay());
    programs.start("main", main());
    fulfil(programs, first, 100);
    fulfil(programs, second, 130);
    // The first wait promised the most: 60 after 100.
    expect(seen).toEqual([167]);
  });

  test("promise from when a wait was over, also where the process was ahead of that", () => {
    const programs = new ProgramSet("rank 0");
    const arrival = new Condition();
    const seen: number[] = [];
    function* main(): Program {
      yield* until(waitFor(arrival, { quiet: 20 }));
      seen.push(programs.promisedTo(0));
    }
    programs.start("main", main());
    programs.advanceTo(at(110));
    arrival.fulfil(at(100));
    expect(seen).toEqual([120]);
  });

  test("wait for each other's end, at once where it has come already", () => {
    const programs = new ProgramSet("rank 0");
    const [arrival, done] = [new Condition(), new Condition()];
    const seen: number[] = [];
    function* relay(): Program {
      done.fulfil(yield* until(waitFor(arrival)));
    }
    function* main(): Program {
      seen.push(yield* until(waitFor(done)));
      // A condition that holds does not stop a program: it goes on with the instant at which it came true.
      seen.push(yield* until(waitFor(done)));
    }
    programs.start("relay", relay());
    programs.start("main", main());
    fulfil(programs, arrival, 40);
    expect(seen).toEqual([40, 40]);
  });

  test("are each reported with what they wait for, and since when", () => {
    const programs = new ProgramSet("rank 7");
    const [arrival, never] = [new Condition(), new Condition()];
    function* main(): Program {
      yield* until(waitFor(arrival));
      yield* until({ ...waitFor(never), what: "the end of its relay", missing: () => ["the relay"] });
    }
    programs.start("program", main());
    programs.start("relay of layer 3", until(waitFor(never)) as Program<never>);
    fulfil(programs, arrival, 5);
    expect(programs.waiting()).toEqual([
      { who: "rank 7, program", what: "the end of its relay", since: 5, missing: ["the relay"] },
      { who: "rank 7, relay of layer 3", what: "something", since: 0, missing: [] },
    ]);
  });

  test("those that wait for one condition are woken in the order in which they began to wait", () => {
    const programs = new ProgramSet("rank 0");
    const arrival = new Condition();
    const woken: string[] = [];
    function* program(name: string): Program {
      yield* until(waitFor(arrival));
      woken.push(name);
    }
    for (const name of ["b", "a", "c"]) programs.start(name, program(name));
    fulfil(programs, arrival, 1);
    expect(woken).toEqual(["b", "a", "c"]);
  });
});
