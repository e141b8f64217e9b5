import { describe, expect, test } from "vitest";
import { findFailedVerdicts } from "#e2e/checkers/testing/expect-verdict.ts";
import type { HistoryBuilder } from "#e2e/checkers/testing/history-builder.ts";
import { beginHistory as begin, endHistory as end } from "#e2e/checkers/testing/histories.ts";

/** Histories of what may happen in a correct run. */
const GOOD: Readonly<Record<string, () => HistoryBuilder>> = {
  "an action that is done, then committed": () => {
    const builder = begin();
    builder.execute(builder.publish("i1"));
    return end(builder.commit("1"));
  },
  "a repeated record, which plans the same action": () => {
    const builder = begin();
    const action = builder.publish("i1");
    builder.execute(action);
    builder.publishRecord(0, "1", "i1", [action.expected]);
    return end(builder.commit("1").commit("1").commit("2"));
  },
  "a killed owner whose attempt another pod calls in doubt": () => {
    const builder = begin();
    const claimed = builder.claim(builder.publish("i1"));
    builder.send(claimed).effect(claimed).podEvent("pod-a", "exit", { exitCode: 137 });
    builder
      .assign({ "pod-b": [0] })
      .orphan(claimed)
      .deadLetter(claimed);
    return end(builder.commit("1", { pod: "pod-b" }));
  },
  "a late owner whose done resolves the dead letter": () => {
    const builder = begin();
    const claimed = builder.claim(builder.publish("i1"));
    builder.send(claimed).orphan(claimed).deadLetter(claimed).effect(claimed);
    builder.late(claimed, "done");
    return end(builder.commit("1"));
  },
  "an idempotent action that is repeated after a doubt": () => {
    const builder = begin();
    const action = builder.publish("i1", { idempotent: true });
    const first = builder.claim(action);
    builder.send(first).effect(first).outcome(first, "in-doubt");
    builder.execute(action, { attempt: 2 });
    return end(builder.commit("1"));
  },
  "an attempt that was certainly not applied, and the next one": () => {
    const builder = begin();
    const action = builder.publish("i1");
    const first = builder.claim(action);
    builder.send(first).outcome(first, "failed-not-applied");
    builder.execute(action, { attempt: 2, pod: "pod-b" });
    return end(builder.commit("1"));
  },
  "the next attempt by a pod that is behind the clock of the volume": () => {
    const builder = begin();
    const action = builder.publish("i1");
    const first = builder.claim(action);
    builder.send(first).outcome(first, "failed-not-applied");
    builder.assign({ "pod-b": [0] });
    const second = builder.claim(action, { pod: "pod-b", attempt: 2, behindMs: 300 });
    builder.send(second).effect(second).outcome(second, "done");
    return end(builder.commit("1", { pod: "pod-b" }));
  },
  "a claim by a container that is behind the clock of the volume, and was started again after a clean stop":
    () => {
      const builder = begin();
      builder.podEvent("pod-a", "exit", { exitCode: 0 }).podEvent("pod-a", "started");
      const claimed = builder.claim(builder.publish("i1"), { restart: 1, behindMs: 300 });
      builder.send(claimed).podEvent("pod-a", "exit", { exitCode: 137 });
      builder
        .assign({ "pod-b": [0] })
        .orphan(claimed)
        .deadLetter(claimed);
      return end(builder.commit("1", { pod: "pod-b" }));
    },
  "a pod that was deleted by force, and the process of which goes on": () => {
    const builder = begin();
    const claimed = builder.claim(builder.publish("i1"));
    builder.podEvent("pod-a", "deletion-requested").podEvent("pod-a", "gone");
    builder.podEvent("pod-b", "started").assign({ "pod-b": [0] });
    builder.send(claimed).effect(claimed).wait(100);
    builder.orphan(claimed).deadLetter(claimed).commit("1", { pod: "pod-b" });
    return end(builder.late(claimed, "done"));
  },
  "records that nobody matches or can decode": () => {
    const builder = begin();
    builder.publishPlain("i1");
    const offset = builder.publishPlain(null);
    return end(builder.letterOfRecord(offset).letterOfRecord(offset).commit("2"));
  },
  "an event that was too old to begin": () => {
    const builder = begin();
    const { key } = builder.publish("i1");
    builder.add({
      kind: "ended",
      from: "log",
      pod: "pod-a",
      key,
      attempt: 0,
      nonce: "",
      outcome: "rejected",
      reason: "too-old",
    });
    return end(builder.commit("1"));
  },
  "two transitions of one incident, the first of which lands late after a doubt": () => {
    const builder = begin();
    const first = builder.claim(builder.publish("i1"));
    builder.send(first).orphan(first).deadLetter(first);
    const second = builder.publish("i1", { transition: "resolved" });
    builder.execute(second, { pod: "pod-b" });
    return end(builder.effect(first).commit("2"));
  },
  "a clean stop of a pod whose volume took no outcome for a while": () => {
    const builder = begin();
    const claimed = builder.claim(builder.publish("i1"));
    builder.send(claimed).fault("volume.eio", "injected", "pod-a").effect(claimed);
    builder.fault("volume.eio", "healed", "pod-a");
    builder.podEvent("pod-a", "exit", { exitCode: 0 }).assign({ "pod-b": [0] });
    builder.orphan(claimed).deadLetter(claimed);
    return end(builder.commit("1", { pod: "pod-b" }));
  },
  "two faults of one kind on the volume of a pod, which sends when both are healed": () => {
    const builder = begin();
    builder
      .fault("volume.full", "injected", "pod-a", 1)
      .fault("volume.full", "injected", "pod-a", 2);
    builder.fault("volume.full", "healed", "pod-a", 1).fault("volume.full", "healed", "pod-a", 2);
    builder.execute(builder.publish("i1"));
    return end(builder.commit("1"));
  },
  "a clean stop while the node of another pod stood still, which may be its own": () => {
    const builder = begin();
    const claimed = builder.claim(builder.publish("i1"));
    builder.send(claimed).fault("node.pause", "injected", "pod-b").effect(claimed);
    builder.fault("node.pause", "healed", "pod-b");
    builder.podEvent("pod-a", "exit", { exitCode: 0 }).assign({ "pod-b": [0] });
    builder.orphan(claimed).deadLetter(claimed);
    return end(builder.commit("1", { pod: "pod-b" }));
  },
  "a pod that is not ready for as long as its storage fails": () => {
    const builder = begin().podEvent("pod-a", "ready").podEvent("pod-a", "storage-failed");
    builder.wait(500).podEvent("pod-a", "unready").wait(3000);
    return end(builder.podEvent("pod-a", "storage-recovered").podEvent("pod-a", "ready"));
  },
  "a pod whose storage fails for a shorter time than its probes take": () =>
    end(
      begin()
        .podEvent("pod-a", "ready")
        .podEvent("pod-a", "storage-failed")
        .wait(900)
        .podEvent("pod-a", "storage-recovered"),
    ),
  "a frozen pod whose storage fails, and that is still shown as ready": () => {
    const builder = begin().podEvent("pod-a", "ready").podEvent("pod-a", "storage-failed");
    builder.fault("pod.freeze", "injected", "pod-a").wait(3000);
    builder.fault("pod.freeze", "healed", "pod-a");
    return end(builder.podEvent("pod-a", "storage-recovered"));
  },
  "a refused commit of a member that is a member no more": () => {
    const builder = begin();
    builder.execute(builder.publish("i1"));
    builder.assign({ "pod-b": [0] });
    builder.commit("1", { pod: "pod-a", generation: 1, accepted: false });
    return end(builder.commit("1", { pod: "pod-b" }));
  },
};

describe("what is right is not found", () => {
  test.each(Object.entries(GOOD))("%s", (_name, make) => {
    expect(findFailedVerdicts(make())).toEqual({});
  });
});
