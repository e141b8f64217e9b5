import { expect, test } from "vitest";
import { ExpectationError, FaultNeverFiredError } from "#e2e/errors.ts";
import { runScenarios } from "./run-scenarios.ts";
import type { ScenarioSession, RunScenariosOptions } from "./run-scenarios.ts";
import type { Scenario, ScenarioContext } from "./scenario.ts";

const scenario = (number: number, run: Scenario["run"]): Scenario => ({
  number,
  name: `number-${number}`,
  title: "A scenario.",
  run,
});

/** A session whose context has only a signal. The rest of a context would need a deployment. */
const session = (
  signal: AbortSignal,
  closed: string[] = [],
  close?: () => void,
): ScenarioSession => ({
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  context: { signal } as ScenarioContext,
  close: async (failed) => {
    closed.push(failed ? "failed" : "passed");
    close?.();
  },
});

const options = (
  scenarios: Scenario[],
  more: Partial<RunScenariosOptions> = {},
): RunScenariosOptions => ({
  scenarios,
  jobs: 2,
  signal: new AbortController().signal,
  timeoutMs: () => 5000,
  skipReason: () => undefined,
  open: (_scenario, signal) => session(signal),
  recordFor: () => () => {},
  ...more,
});

test("returns results in the given order, whichever scenario ends first", async () => {
  const slow = Promise.withResolvers<void>();
  const results = await runScenarios(
    options([scenario(1, () => slow.promise), scenario(2, async () => slow.resolve())]),
  );
  expect(results.map((result) => [result.scenario.number, result.status])).toEqual([
    [1, "passed"],
    [2, "passed"],
  ]);
});

const leak = (): never => {
  throw new ExpectationError("a secret in a log");
};

test("runs exactly `jobs` scenarios at the same time", async () => {
  let running = 0;
  let most = 0;
  const meet = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  const scenarios = Array.from({ length: 9 }, (_, index) => scenario(index, meet));
  await runScenarios(options(scenarios, { jobs: 3 }));
  expect(most).toBe(3);
});

test("distinguishes a broken expectation, a fault that never fired and broken infrastructure", async () => {
  const results = await runScenarios(
    options([
      scenario(1, () => Promise.reject(new ExpectationError("one"))),
      scenario(2, () => Promise.reject(new FaultNeverFiredError("two"))),
      scenario(3, () => Promise.reject(new TypeError("three"))),
    ]),
  );
  expect(results.map((result) => result.failure?.kind)).toEqual([
    "expectation",
    "fault-never-fired",
    "infrastructure",
  ]);
});

const ending = (atEnd: Error) => async (): Promise<void> => {
  await using _ = { [Symbol.asyncDispose]: () => Promise.reject(atEnd) };
  throw new ExpectationError("not within 1 ms: an effect");
};

test("a fault that never fired is reported with the failure that it explains; otherwise the first counts", async () => {
  const results = await runScenarios(
    options([
      scenario(1, ending(new FaultNeverFiredError("the fault never fired"))),
      scenario(2, ending(new TypeError("no such file"))),
    ]),
  );
  expect(results.map(({ failure }) => [failure?.kind, failure?.error.message])).toEqual([
    ["fault-never-fired", "the fault never fired\nnot within 1 ms: an effect"],
    ["expectation", "not within 1 ms: an effect"],
  ]);
});

test("a scenario that hangs and ignores its signal fails at its limit and is closed", async () => {
  const closed: string[] = [];
  const [result] = await runScenarios(
    options([scenario(1, () => new Promise(() => {}))], {
      timeoutMs: () => 30,
      open: (_scenario, signal) => session(signal, closed),
    }),
  );
  expect(result?.failure?.error.message).toBe("not finished within 30 ms");
  expect(closed).toEqual(["failed"]);
});

test("when no scenario can pass any more, all remaining ones fail with the reason", async () => {
  const lost = new AbortController();
  const closed: string[] = [];
  const results = await runScenarios(
    options(
      [1, 2].map((number) =>
        scenario(number, async () => {
          lost.abort(new Error("the tunnel is lost"));
          await new Promise(() => {});
        }),
      ),
      { jobs: 1, lost: lost.signal, open: (_scenario, signal) => session(signal, closed) },
    ),
  );
  expect(results.map(({ failure }) => [failure?.kind, failure?.error.message])).toEqual([
    ["infrastructure", "the tunnel is lost"],
    ["infrastructure", "the tunnel is lost"],
  ]);
  expect(closed).toEqual(["failed", "failed"]);
});

test("after an interrupt running scenarios are closed, none begins and none fails", async () => {
  const interrupt = new AbortController();
  const closed: string[] = [];
  const begun: number[] = [];
  const results = await runScenarios(
    options(
      [1, 2, 3].map((number) =>
        scenario(number, async () => {
          begun.push(number);
          interrupt.abort(new Error("interrupted"));
          await new Promise(() => {});
        }),
      ),
      {
        jobs: 1,
        signal: interrupt.signal,
        open: (_scenario, signal) => session(signal, closed),
      },
    ),
  );
  expect(results.map((result) => result.status)).toEqual([
    "interrupted",
    "interrupted",
    "interrupted",
  ]);
  expect(begun).toEqual([1]);
  expect(closed).toEqual(["failed"]);
});

test("an error at the close fails a passed scenario and does not hide an earlier failure", async () => {
  const results = await runScenarios(
    options(
      [
        scenario(1, async () => {}),
        scenario(2, () => Promise.reject(new ExpectationError("first"))),
      ],
      { open: (_scenario, signal) => session(signal, [], leak) },
    ),
  );
  expect(results.map((result) => result.failure?.error.message)).toEqual([
    "a secret in a log",
    "first",
  ]);
});

test("a scenario that must be alone runs after all others, and its result keeps its place", async () => {
  const running = new Set<number>();
  const seen: number[][] = [];
  const meet = (number: number) => async (): Promise<void> => {
    running.add(number);
    await new Promise((resolve) => setImmediate(resolve));
    seen.push([...running]);
    running.delete(number);
  };
  const scenarios = [1, 2, 3, 4].map((number): Scenario => {
    const { name, title, run } = scenario(number, meet(number));
    return { number, name, title, run, alone: number < 3 };
  });
  const results = await runScenarios(options(scenarios, { jobs: 4 }));
  expect(results.map((result) => result.scenario.number)).toEqual([1, 2, 3, 4]);
  expect(seen).toEqual([[3, 4], [4], [1], [2]]);
});

test("a scenario that cannot run here is skipped with its reason and never opened", async () => {
  const recorded: unknown[] = [];
  const results = await runScenarios(
    options([scenario(1, () => Promise.reject(new Error("begun")))], {
      skipReason: ({ number }) => `no ${number} here`,
      open: () => {
        throw new Error("opened");
      },
      recordFor: () => (_source, event, fields) => void recorded.push([event, fields]),
    }),
  );
  expect(results).toMatchObject([{ status: "skipped", reason: "no 1 here", durationMs: 0 }]);
  expect(recorded).toEqual([["scenario.skipped", { message: "no 1 here" }]]);
});
