import { appendFile, glob, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { ArmedTrigger, TriggerContext } from "#e2e/chaos/trigger-kind.ts";
import { FakeTarget } from "./testing/fake-target.ts";
import { LOG_EVENTS, LOG_TRIGGERS } from "./log.ts";

const stopping = new AbortController();
let directory = "";
let target: FakeTarget;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kafka-consumer-log-trigger-"));
  target = new FakeTarget();
  for (const pod of ["one", "two"]) addRun(pod, 0);
});

afterEach(async () => await rm(directory, { recursive: true }));

async function arm(
  event: string,
  options: Partial<TriggerContext> = {},
): Promise<ArmedTrigger & { readonly pod: () => string | null }> {
  const [kind] = LOG_TRIGGERS;
  if (kind === undefined) throw new Error("there is no trigger");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what this trigger looks at
  const deployment = { target } as unknown as TestDeployment;
  const context = { deployment, pod: null, ordinal: 1, signal: stopping.signal, ...options };
  const armed = await kind.arm(context, kind.parameters.parse({ event }));
  let pod: string | null = null;
  void armed.reached.then((moment) => (pod = moment.pod));
  return { ...armed, pod: () => pod };
}

function addRun(pod: string, restartCount: number, container = "app"): void {
  const path = join(directory, `${pod}.${container}.${restartCount}.log`);
  target.files.push({ pod, container, restartCount, path });
}

async function write(pod: string, text: string, run = "app.0"): Promise<void> {
  await appendFile(join(directory, `${pod}.${run}.log`), text);
}

const line = (event: string, more: object = {}) => `${JSON.stringify({ event, ...more })}\n`;

/** Waits until every log has been read to its end. */
async function untilRead(): Promise<void> {
  const { looks } = target;
  await vi.waitFor(() => expect(target.looks).toBeGreaterThan(looks + 1));
}

test("is the next line with that event, whatever was logged before and beside it", async () => {
  await write("one", line("action.ended"));
  await using armed = await arm("action.ended");
  await write("one", `${line("action.claimed", { reason: "action.ended" })}"action.ended"\n`);
  await untilRead();
  expect(armed.pod()).toBeNull();
  await write("two", line("action.ended"));
  expect(await armed.reached).toMatchObject({ pod: "two", detail: "action.ended was logged" });
});

test("is the n-th line of the pod that is waited for, in the runs that come later too", async () => {
  await using armed = await arm("health.listening", { pod: "one", ordinal: 2 });
  await write("one", line("health.listening"));
  await write("two", line("health.listening").repeat(2));
  addRun("one", 1);
  addRun("one", 0, "identity");
  await write("one", line("health.listening"), "identity.0");
  await untilRead();
  expect(armed.pod()).toBeNull();
  await write("one", line("health.listening"), "app.1");
  expect((await armed.reached).pod).toBe("one");
});

test("is found in a line that is written in pieces", async () => {
  await write("one", '{"event":');
  await using armed = await arm("action.ended");
  await write("one", '"action.en');
  await untilRead();
  await write("one", `ded"}`);
  await untilRead();
  expect(armed.pod()).toBeNull();
  await write("one", "\n");
  expect((await armed.reached).pod).toBe("one");
});

test("reads no log any more when it is disposed or released", async () => {
  for (const end of ["release", Symbol.asyncDispose] as const) {
    const armed = await arm("action.ended");
    await untilRead();
    await armed[end]();
    await write("one", line("action.ended"));
    // Another trigger that has read that far shows that there was time for it.
    await using other = await arm("action.claimed");
    await write("one", line("action.claimed"));
    await other.reached;
    expect(armed.pod()).toBeNull();
  }
});

test("names only events that the consumer logs", async () => {
  const sources = new Map<string, string>();
  for await (const path of glob("consumer/**/*.ts", { exclude: ["**/*.test.ts"] })) {
    sources.set(path, await readFile(path, "utf8"));
  }
  const logged = [...sources.values()].flatMap((text) =>
    Array.from(text.matchAll(/log\.(?:info|warn|error)\(\s*"([^"]+)"/g), ([, event]) => event),
  );
  expect(logged).toEqual(expect.arrayContaining(Object.keys(LOG_EVENTS)));
});
