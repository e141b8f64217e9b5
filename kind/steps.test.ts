import { expect, test } from "vitest";
import { runSteps, StepError } from "./steps.ts";
import type { Step, StepsOptions } from "./steps.ts";

function noted(name: string, log: string[], run: () => string | void = () => {}): Step {
  return {
    title: name,
    run: async () => {
      log.push(`do ${name}`);
      return run();
    },
    undo: async () => void log.push(`undo ${name}`),
  };
}

async function failureOf(
  steps: readonly Step[],
  options: Partial<StepsOptions> = {},
): Promise<{ error: StepError; shown: string[] }> {
  const shown: string[] = [];
  const onStep: StepsOptions["onStep"] = ({ title, state }) => void shown.push(`${title} ${state}`);
  try {
    await runSteps(steps, { onStep, ...options });
  } catch (error) {
    if (error instanceof StepError) return { error, shown };
  }
  throw new Error("no StepError");
}

const broken = (): never => {
  throw new Error("no space");
};

test("each step is reported with its time and its message", async () => {
  const events: unknown[] = [];
  await runSteps([noted("a", []), noted("b", [], () => "three nodes")], {
    onStep: (event) => events.push(event),
  });
  const durationMs = expect.any(Number);
  expect(events).toEqual([
    { title: "a", state: "started" },
    { title: "a", state: "done", durationMs },
    { title: "b", state: "started" },
    { title: "b", state: "done", durationMs, text: "three nodes" },
  ]);
});

test("a failed step undoes all steps that began, itself first", async () => {
  const log: string[] = [];
  const steps = [noted("a", log), noted("b", log), noted("c", log, broken), noted("d", log)];
  const { error, shown } = await failureOf(steps);
  expect(log).toEqual(["do a", "do b", "do c", "undo c", "undo b", "undo a"]);
  expect(error.message).toBe("c: no space");
  expect(shown.slice(-4)).toEqual(["c failed", "c undone", "b undone", "a undone"]);
});

test("with keep, nothing is undone", async () => {
  const log: string[] = [];
  await failureOf([noted("a", log), noted("b", log, broken)], { keep: true });
  expect(log).toEqual(["do a", "do b"]);
});

test("a step that cannot be undone is reported, and the rest is undone all the same", async () => {
  const log: string[] = [];
  const stuck: Step = { ...noted("b", log), undo: () => Promise.reject(new Error("in use")) };
  const { error } = await failureOf([noted("a", log), stuck, noted("c", log, broken)]);
  expect(error.message).toBe("c: no space\nnot undone: in use");
  expect(log.at(-1)).toBe("undo a");
});

test("an aborted signal undoes what was made and begins no further step", async () => {
  const log: string[] = [];
  const abort = new AbortController();
  const steps = [noted("a", log, () => abort.abort(new Error("^C"))), noted("b", log)];
  const { error } = await failureOf(steps, { signal: abort.signal });
  expect(log).toEqual(["do a", "undo a"]);
  expect(error.message).toBe("b: ^C");
});
