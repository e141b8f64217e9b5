import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import {
  createRecordedBroker,
  plannedAction,
  startExecutingPod,
  plannedPath,
} from "#fixtures/consumer/execution.ts";
import type { ExecutingPod } from "#fixtures/consumer/execution.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import type { FileCall, FileOperation } from "#fixtures/ports/files.ts";
import { createInterleaving, passTime } from "#fixtures/ports/interleaving.ts";
import { assertCounted } from "#fixtures/properties.ts";
import { hasCode } from "#consumer/errors.ts";
import type { ExecutionResult } from "./types.ts";
import type { SendResult } from "#consumer/ports.ts";

/** The answer of the action endpoint to a send, and whether it had an effect. */
const ANSWERS: readonly (SendResult & { readonly applied: boolean })[] = [
  { outcome: "done", detail: "200", applied: true },
  { outcome: "failed-not-applied", detail: "503", applied: false },
  { outcome: "in-doubt", detail: "timeout", applied: true },
  { outcome: "rejected", detail: "400", applied: false },
];

/** One volume, and pods on it whose every step is the test's to allow. */
function createTestBed(answers: readonly number[]) {
  const clock = createManualClock();
  const volume = createMemoryVolume({ clock });
  const broker = createRecordedBroker();
  const interleaving = createInterleaving(clock);
  const sends: { readonly attempt: number; readonly applied: boolean }[] = [];
  const written = new Map<string, string>();
  /** The violations that no exception shows. */
  const violations: unknown[] = [];
  let runs = 0;

  const send = async (pod: string): Promise<SendResult> => {
    await interleaving.step(pod, "send");
    const attempt = lastAttemptOf(pod);
    if (!volume.durableText(plannedPath("claim", attempt))?.includes(`"pod":"${pod}"`)) {
      violations.push(`${pod} sends attempt ${attempt} without a durable claim of its own`);
    }
    const answer = ANSWERS[answers[sends.length % answers.length] ?? 0] ?? ANSWERS[0];
    if (!answer) throw new Error("no answer");
    sends.push({ attempt, applied: answer.applied });
    await interleaving.step(pod, "reply");
    return { outcome: answer.outcome, detail: answer.detail };
  };

  const lastAttemptOf = (pod: string): number => {
    const own = (attempt: number): boolean =>
      volume.paths().includes(plannedPath("claim", attempt)) &&
      volume.text(plannedPath("claim", attempt)).includes(`"pod":"${pod}"`);
    return [3, 2, 1].find(own) ?? 0;
  };

  /** A process that starts, gets the record and executes its action. */
  const begin = () => {
    runs += 1;
    const name = `pod-${runs}`;
    let pod: ExecutingPod | undefined;
    const work = async (): Promise<ExecutionResult> => {
      pod = await startExecutingPod({
        name,
        volume,
        clock,
        broker: {
          async publish(record) {
            await interleaving.step(name, "publish");
            await broker.publish(record);
          },
        },
        sender: { send: () => send(name) },
        seed: runs,
        settings: { eventAgeMsMax: Number.POSITIVE_INFINITY },
        intercept: ({ operation, path, phase }) =>
          pod && isDecisive(operation, path, phase)
            ? interleaving.step(name, `${phase} ${operation} ${path}`)
            : undefined,
      });
      const result = await pod.execute(plannedAction());
      const { outcome, attempt } = result;
      if (
        !volume.durableText(plannedPath("outcome", attempt))?.includes(`"outcome":"${outcome}"`)
      ) {
        violations.push(`${name} relies on an outcome that is not durable`);
      }
      if (outcome !== "done" && broker.published.length === 0) {
        violations.push(`${name} ends as ${outcome} without a dead letter`);
      }
      return result;
    };
    const run = {
      name,
      ended: "" as "" | "finished" | "lost",
      revoke: () => pod?.revoke(),
      work: work(),
    };
    const end = async (): Promise<void> => {
      try {
        await run.work;
        run.ended = "finished";
      } catch (error) {
        run.ended = "lost";
        const expected = hasCode(error, "assignment-lost") || hasCode(error, "history-unavailable");
        if (!expected) violations.push(error);
      }
    };
    void end();
    return run;
  };

  /** Checks what has happened so far. */
  const check = (): void => {
    for (const attempt of [1, 2, 3]) {
      if (sends.filter((sent) => sent.attempt === attempt).length > 1) {
        violations.push(`attempt ${attempt} was sent twice`);
      }
    }
    if (sends.filter(({ applied }) => applied).length > 1) violations.push("two effects");
    const present = new Set(volume.paths());
    for (const path of present) {
      if (!path.startsWith("claims/")) continue;
      const text = volume.text(path);
      if ((written.get(path) ?? text) !== text) violations.push(`${path} changed`);
      written.set(path, text);
    }
    for (const path of written.keys()) if (!present.has(path)) violations.push(`${path} went away`);
    if (violations.length > 0) throw new Error(violations.map(String).join("; "));
  };

  const losePower = (): void => {
    volume.losePower();
    written.clear();
  };

  return { volume, clock, interleaving, sends, begin, check, losePower };
}

const INTERLEAVINGS = 50;

test("two pods racing for one key send once, whatever the interleaving", async () => {
  for (let seed = 1; seed <= INTERLEAVINGS; seed += 1) {
    const { interleaving, sends, begin, check } = createTestBed([0]);
    const random = createSeededRandom(seed);
    const pods = [begin(), begin()];
    for (;;) {
      const waiting = await interleaving.waiting();
      const next = waiting[Math.floor(random.next() * waiting.length)];
      if (!next) break;
      next.go();
      check();
    }
    const ends = await interleaving.runUntil(Promise.all(pods.map(({ work }) => work)));
    expect({ seed, sends: sends.length, ends: ends.map(({ outcome }) => outcome) }).toEqual({
      seed,
      sends: 1,
      ends: ["done", "done"],
    });
  }
  process.stdout.write(`race: ${INTERLEAVINGS} interleavings of two pods\n`);
});

/**
 * Returns true for a call where another order, a failure or a crash could make a difference. Every other call joins the
 * next of these.
 */
function isDecisive(operation: FileOperation, path: string, phase: FileCall["phase"]): boolean {
  if (operation === "link") return true;
  if (operation === "dataSync") return phase === "before";
  return phase === "before" && path.startsWith("claims/");
}

/** The next event: a pod takes a step, time passes, or something breaks. */
const step = fc.nat(5);
const place = fc.nat(1);
const event = fc.oneof(
  weighted(200, { kind: fc.constant("go" as const), which: step }),
  weighted(15, {
    kind: fc.constant("fail" as const),
    which: step,
    code: fc.constantFrom("EIO", "ESTALE", "EEXIST"),
  }),
  weighted(4, { kind: fc.constant("crash" as const), which: place }),
  weighted(4, { kind: fc.constant("revoke" as const), which: place }),
  weighted(4, { kind: fc.constant("redeliver" as const), which: place }),
  weighted(15, { kind: fc.constant("wait" as const) }),
  weighted(1, { kind: fc.constant("power" as const) }),
);

function weighted<T>(weight: number, shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return { weight, arbitrary: fc.record(shape) };
}

test(
  "whatever breaks, an attempt is sent at most once, has one effect, and the key ends",
  { timeout: 30_000 },
  async () => {
    await assertCounted(
      fc.asyncProperty(
        fc.array(event, { maxLength: 250, size: "max" }),
        fc.array(fc.nat(3), { minLength: 3, maxLength: 3 }),
        async (events, answers) => {
          const testBed = createTestBed(answers);
          const { clock, interleaving, begin, check, losePower } = testBed;
          const runs = [begin(), begin()];
          for (const happened of events) {
            const waiting = await interleaving.waiting();
            check();
            for (const [index, { ended }] of runs.entries()) {
              if (ended === "lost") runs[index] = begin();
            }
            const next = "which" in happened && waiting[happened.which % waiting.length];
            const run = "which" in happened && runs[happened.which];
            switch (happened.kind) {
              case "go":
              case "fail":
                if (!next) await passTime(clock);
                else if (happened.kind === "go" || !canFail(next.what, happened.code)) next.go();
                else next.fail(failure(happened.code, "syscall", next.what));
                break;
              case "wait":
                await passTime(clock);
                break;
              case "revoke":
                if (run) run.revoke();
                break;
              case "crash":
                if (run) interleaving.kill(run.name);
                runs[happened.which] = begin();
                break;
              case "redeliver":
                if (run && run.ended !== "") runs[happened.which] = begin();
                break;
              case "power":
                for (const { name } of runs) interleaving.kill(name);
                losePower();
                runs.splice(0, runs.length, begin(), begin());
            }
          }
          const last = begin();
          const work = Promise.allSettled([...runs, last].map((run) => run.work));
          await interleaving.runUntil(work);
          check();
          expect((await last.work).outcome).toBeDefined();
        },
      ),
      { numRuns: 100 },
    );
  },
);

/** EEXIST by mistake comes from a repeated request whose first reply was lost: the link had been made. */
function canFail(what: string, code: string): boolean {
  if (what === "send" || what === "reply") return false;
  return code !== "EEXIST" || what.startsWith("after link");
}
