import { createHash } from "node:crypto";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import {
  EXECUTOR_SETTINGS,
  createRecordedBroker,
  createRecordedSender,
  plannedAction,
  sourceRecord,
} from "#fixtures/consumer/execution.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createFiles } from "#consumer/adapters/files/files.ts";
import { createExecutor } from "./execute.ts";
import { openHistory } from "#consumer/history/history.ts";

test("four pods that get every action at once, on a real directory, send each once", async () => {
  const root = await mkdtemp(join(tmpdir(), "history-"));
  try {
    const clock = createSystemClock();
    const sender = createRecordedSender({ outcome: "done", detail: "200" });
    const pods = await Promise.all(["a", "b", "c", "d"].map((name) => startPod(name, root)));
    const actions = Array.from({ length: 50 }, (_, index) => {
      const id = `incident-${index}`;
      return plannedAction({
        key: createHash("sha256").update(id).digest("hex"),
        incident: { id, transition: "active", startedOnMs: clock.wallMs() },
      });
    });
    const executions = pods.flatMap(({ execute }) => actions.map((action) => execute(action)));
    const ends = await Promise.all(executions);

    expect(ends.every(({ outcome }) => outcome === "done")).toBe(true);
    expect(sender.sends).toHaveLength(actions.length);
    expect(new Set(sender.sends.map(({ key }) => key)).size).toBe(actions.length);
    await Promise.all(pods.map(({ history }) => history.close()));
    expect(await readdir(join(root, "temporary"))).toEqual([]);
    const view: { entries: object } = JSON.parse(
      await readFile(join(root, "automation_action_history.json"), "utf8"),
    );
    expect(Object.keys(view.entries).toSorted()).toEqual(actions.map(({ key }) => key).toSorted());

    async function startPod(name: string, directory: string) {
      const shared = {
        clock,
        random: createSeededRandom(name.charCodeAt(0)),
        log: createRecordedLog(),
        metrics: createRecordedMetrics(),
        pod: { name, uid: name },
      };
      const history = await openHistory({
        ...shared,
        files: createFiles(directory),
        settings: { requireMount: false, publishIntervalMs: 50 },
      });
      const executor = createExecutor({
        ...shared,
        history,
        sender,
        broker: createRecordedBroker(),
        settings: { ...EXECUTOR_SETTINGS, outcomePollMs: 20 },
      });
      const record = sourceRecord();
      const never = new AbortController().signal;
      const assignment = { topic: record.topic, partition: 0, epoch: 1, signal: never };
      return {
        history,
        execute: (action: ReturnType<typeof plannedAction>) =>
          executor(action, { assignment, record, stopping: never }),
      };
    }
  } finally {
    await rm(root, { recursive: true });
  }
});
