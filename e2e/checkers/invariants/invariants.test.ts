import { describe, expect, test } from "vitest";
import { findingsOn, verdictOn } from "#e2e/checkers/testing/expect-verdict.ts";
import { HistoryBuilder } from "#e2e/checkers/testing/history-builder.ts";
import { beginHistory as begin, endHistory as end } from "#e2e/checkers/testing/histories.ts";
import { CHECKERS } from "./index.ts";

interface Bad {
  readonly invariant: string;
  /** A description of what breaks it. */
  readonly how: string;
  readonly make: () => HistoryBuilder;
  readonly says: RegExp;
}

const BAD: readonly Bad[] = [
  {
    invariant: "one-execution-per-attempt",
    how: "the attempt had two effects",
    make: () => {
      const builder = begin();
      const claimed = builder.claim(builder.publish("i1"));
      builder.send(claimed).effect(claimed).effect(claimed).outcome(claimed, "done");
      return end(builder.commit("1"));
    },
    says: /attempt 1 of [0-9a-f]{64}.*2/,
  },
  {
    invariant: "one-execution-per-action",
    how: "a second attempt had an effect beside the first",
    make: () => {
      const builder = begin();
      const action = builder.publish("i1");
      const first = builder.claim(action);
      builder.send(first).effect(first).orphan(first);
      builder.execute(action, { attempt: 2, pod: "pod-b" });
      return end(builder.commit("1"));
    },
    says: /had 2 effects: of attempt 1 \(in-doubt\).*of attempt 2 \(done\).*pod-a.*pod-b/,
  },
  {
    invariant: "execution-claimed",
    how: "an effect rests on a nonce that no claim has",
    make: () => {
      const builder = begin();
      const action = builder.publish("i1");
      const claimed = builder.claim(action);
      builder.effect({ ...claimed, nonce: builder.nonce() }).outcome(claimed, "done");
      return end(builder.commit("1"));
    },
    says: /claim/,
  },
  {
    invariant: "sent-by-claimant",
    how: "another pod sends what was claimed",
    make: () => {
      const builder = begin();
      const claimed = builder.claim(builder.publish("i1"));
      return builder.send({ ...claimed, pod: "pod-b" });
    },
    says: /pod-b sent attempt 1 .*pod-a had claimed it/,
  },
  {
    invariant: "only-planned-actions",
    how: "an effect of what nobody published",
    make: () => {
      const builder = begin();
      const action = new HistoryBuilder().publish("i2");
      return end(
        builder.add({
          kind: "effect",
          key: action.key,
          traceId: null,
          parentId: null,
          pod: null,
          path: "/",
        }),
      );
    },
    says: /no record plans action/,
  },
  {
    invariant: "attempts-in-turn",
    how: "an attempt follows one that was done",
    make: () => {
      const builder = begin();
      const action = builder.publish("i1");
      const first = builder.claim(action);
      builder.outcome(first, "done");
      builder.claim(action, { attempt: 2, pod: "pod-b" });
      return builder;
    },
    says: /pod-b claimed attempt 2 .* after attempt 1 had ended done/,
  },
  {
    invariant: "attempts-in-turn",
    how: "a doubt is repeated without the word of the rule",
    make: () => {
      const builder = begin();
      const action = builder.publish("i1");
      builder.orphan(builder.claim(action));
      builder.claim(action, { attempt: 2, pod: "pod-b" });
      return builder;
    },
    says: /after attempt 1 had ended in-doubt/,
  },
  {
    invariant: "attempts-in-turn",
    how: "more attempts than the rule allows",
    make: () => {
      const builder = begin();
      const action = builder.publish("i1", { attemptsMax: 1 });
      builder.outcome(builder.claim(action), "failed-not-applied");
      builder.claim(action, { attempt: 2 });
      return builder;
    },
    says: /of 1 that it may have/,
  },
  {
    invariant: "attempts-in-turn",
    how: "another pod ends an attempt as done",
    make: () => {
      const builder = begin();
      const claimed = builder.claim(builder.publish("i1"));
      return builder.outcome(claimed, "done", { pod: "pod-b", nonce: builder.nonce() });
    },
    says: /pod-b ended attempt 1 .* as done .*pod-a had claimed it/,
  },
  {
    invariant: "claims-unchanged",
    how: "the claim on the volume is not the one that its pod made durable",
    make: () => {
      const builder = begin();
      const claimed = builder.claim(builder.publish("i1"));
      const { action, attempt } = claimed;
      return builder.add({
        kind: "claimed",
        from: "log",
        pod: "pod-b",
        key: action.key,
        attempt,
        nonce: builder.nonce(),
      });
    },
    says: /the claim of attempt 1 .* changed: pod-b/,
  },
  {
    invariant: "claims-unchanged",
    how: "an outcome is gone",
    make: () => {
      const builder = begin();
      builder.execute(builder.publish("i1"));
      return without(builder, (event) => event.kind === "ended" && event.from === "file");
    },
    says: /the outcome of attempt 1 .* is gone/,
  },
  {
    invariant: "outcomes-true",
    how: "done without an effect",
    make: () => {
      const builder = begin();
      builder.execute(builder.publish("i1"));
      return without(builder, (event) => event.kind === "effect");
    },
    says: /ended done .*had no effect/,
  },
  {
    invariant: "outcomes-true",
    how: "a dead letter says otherwise than the outcome",
    make: () => {
      const builder = begin();
      const claimed = builder.claim(builder.publish("i1"));
      builder.outcome(claimed, "failed-not-applied");
      return builder.deadLetter(claimed, "in-doubt");
    },
    says: /says in-doubt, and the attempt ended failed-not-applied/,
  },
  {
    invariant: "keys-distinct",
    how: "the claim of one incident under the key of another",
    make: () => {
      const builder = begin();
      const one = builder.publish("i1");
      const other = builder.publish("i2");
      builder.claim({ ...other, key: one.key });
      return builder;
    },
    says: /is about restart\/ticket of incident i2.*the key is that of restart\/ticket of incident i1/,
  },
  {
    invariant: "order-per-incident",
    how: "the later record of an incident is executed first",
    make: () => {
      const builder = begin();
      const first = builder.publish("i1");
      const second = builder.publish("i1", { transition: "resolved" });
      builder.execute(second, { pod: "pod-b" });
      builder.execute(first);
      return end(builder.commit("2"));
    },
    says: /incident i1: the effect of offset 1 .* came before that of offset 0 .*pod-b and pod-a/,
  },
  {
    invariant: "committed-owned",
    how: "a member commits what its generation gave to another",
    make: () => {
      const builder = begin();
      builder.execute(builder.publish("i1"));
      return builder.assign({ "pod-b": [0] }).commit("1", { pod: "pod-a" });
    },
    says: /pod-a committed 1 .*belongs to pod-b there/,
  },
  {
    invariant: "committed-terminal",
    how: "the commit came before the outcome",
    make: () => {
      const builder = begin();
      const action = builder.publish("i1");
      const claimed = builder.claim(action);
      builder.commit("1").wait(1000).send(claimed).effect(claimed).outcome(claimed, "done");
      return end(builder);
    },
    says: /committed 1 .* past offset 0, .*it came to its end only at/,
  },
  {
    invariant: "committed-terminal",
    how: "the commit came before the dead letter",
    make: () => {
      const builder = begin();
      const claimed = builder.claim(builder.publish("i1"));
      builder.orphan(claimed).commit("1").wait(1000).deadLetter(claimed);
      return end(builder);
    },
    says: /past offset 0/,
  },
  {
    invariant: "committed-terminal",
    how: "a record that cannot be decoded was passed without a dead letter",
    make: () => {
      const builder = begin();
      builder.publishPlain(null);
      return end(builder.commit("1"));
    },
    says: /past offset 0, which cannot be decoded: no dead letter was published/,
  },
  {
    invariant: "committed-terminal",
    how: "a commit of -1, as after an offset that is out of range",
    make: () => end(begin().commit("-1")),
    says: /which is no position/,
  },
  {
    invariant: "storage-failure",
    how: "a send without a claim while the volume is full",
    make: () => {
      const builder = begin();
      const action = builder.publish("i1");
      builder.fault("volume.full", "injected", "pod-a").wait(1000);
      builder.send({ action, attempt: 1, pod: "pod-a", nonce: builder.nonce() });
      return builder.fault("volume.full", "healed", "pod-a");
    },
    says: /pod-a sent attempt 1 .* while volume.full kept it from claiming/,
  },
  {
    invariant: "storage-failure",
    how: "a pod is shown as ready while its storage fails",
    make: () =>
      begin()
        .podEvent("pod-a", "ready")
        .podEvent("pod-a", "storage-failed")
        .wait(3000)
        .podEvent("pod-a", "storage-recovered"),
    says: /the storage of pod-a failed at .* was shown as ready at /,
  },
  {
    invariant: "storage-failure",
    how: "a pod becomes ready again while one of two operations still fails",
    make: () =>
      begin()
        .podEvent("pod-a", "ready")
        .podEvent("pod-a", "storage-failed")
        .podEvent("pod-a", "storage-failed")
        .wait(500)
        .podEvent("pod-a", "unready")
        .wait(1000)
        .podEvent("pod-a", "storage-recovered")
        .podEvent("pod-a", "ready")
        .wait(1000)
        .podEvent("pod-a", "storage-recovered"),
    says: /the storage of pod-a failed at /,
  },
  {
    invariant: "storage-failure",
    how: "the volume is still full when another fault of the same kind has been healed",
    make: () => {
      const builder = begin();
      const action = builder.publish("i1");
      builder
        .fault("volume.full", "injected", "pod-a", 1)
        .fault("volume.full", "injected", "pod-a", 2);
      builder.fault("volume.full", "healed", "pod-a", 2).wait(1000);
      builder.send({ action, attempt: 1, pod: "pod-a", nonce: builder.nonce() });
      return builder.fault("volume.full", "healed", "pod-a", 1);
    },
    says: /pod-a sent attempt 1 .* while volume.full kept it from claiming/,
  },
  {
    invariant: "clean-stop",
    how: "a process ends with code 0 and leaves an attempt to another pod",
    make: () => {
      const builder = begin();
      const claimed = builder.claim(builder.publish("i1"));
      builder.podEvent("pod-a", "signal", { signal: "SIGTERM" }).send(claimed).effect(claimed);
      return builder.podEvent("pod-a", "exit", { exitCode: 0 }).wait(1000).orphan(claimed);
    },
    says: /ended with code 0 .*pod-b had to call it in-doubt/,
  },
  {
    invariant: "claim-files-whole",
    how: "a claim is torn",
    make: () => {
      const builder = begin();
      builder.strangeFiles.push("claims/ab/ab.1.claim: is not a JSON object");
      return builder;
    },
    says: /ab\.1\.claim: is not a JSON object/,
  },
  {
    invariant: "contract-file-parses",
    how: "the view lost a key",
    make: () => {
      const builder = begin();
      builder.contractFile.push("automation_action_history.json lost key k");
      return builder;
    },
    says: /lost key k/,
  },
  {
    invariant: "committed-to-end",
    how: "a partition is short of its end after the healing",
    make: () => {
      const builder = begin();
      builder.execute(builder.publish("i1"));
      builder.execute(builder.publish("i2"));
      return end(builder.commit("1"));
    },
    says: /incidents\/0 is committed to 1 .*short of its end 2/,
  },
  {
    invariant: "every-event-terminal",
    how: "an action was never claimed",
    make: () => {
      const builder = begin();
      builder.publish("i1");
      return end(builder);
    },
    says: /is not terminal: it was never claimed/,
  },
  {
    invariant: "every-event-terminal",
    how: "a claim has no outcome",
    make: () => {
      const builder = begin();
      builder.claim(builder.publish("i1"));
      return end(builder);
    },
    says: /is not terminal: attempt 1, claimed by pod-a at .* has no outcome/,
  },
  {
    invariant: "dead-letters-delivered",
    how: "an attempt in doubt has no dead letter",
    make: () => {
      const builder = begin();
      builder.orphan(builder.claim(builder.publish("i1")));
      return end(builder);
    },
    says: /ended in-doubt .*no dead letter reports it/,
  },
];

describe("what is wrong is found", () => {
  test.each(BAD)("$invariant: $how", ({ invariant, make, says }) => {
    expect(findingsOn(make(), invariant)).toEqual([expect.stringMatching(says)]);
  });

  test("there is a bad history for every checker", () => {
    const tried = new Set(BAD.map(({ invariant }) => invariant));
    expect(CHECKERS.map(({ name }) => name).filter((name) => !tried.has(name))).toEqual([]);
  });

  test("liveness is not judged for a run that did not wait", () => {
    const builder = begin();
    builder.publish("i1");
    expect(verdictOn(builder, "every-event-terminal").status).toBe("not-judged");
  });
});

function without(
  builder: HistoryBuilder,
  isDropped: (event: HistoryBuilder["events"][number]) => boolean,
): HistoryBuilder {
  const kept = builder.events.filter((event) => !isDropped(event));
  builder.events.splice(0, builder.events.length, ...kept);
  return builder;
}
