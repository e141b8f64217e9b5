import type { V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { PodHistory } from "./history.ts";

const running = (id: string): Partial<V1ContainerStatus> => ({
  containerID: `containerd://${id}`,
  state: { running: {} },
});

const terminated = (id: string, exitCode: number) => ({
  terminated: { containerID: `containerd://${id}`, exitCode },
});

function status(name: string, given: Partial<V1ContainerStatus>): V1ContainerStatus {
  return { name, image: "", imageID: "", ready: false, restartCount: 0, ...given };
}

function pod(
  app: Partial<V1ContainerStatus>,
  more: { ready?: boolean; deleted?: boolean; sidecar?: Partial<V1ContainerStatus> } = {},
): V1Pod {
  return {
    metadata: {
      name: "p",
      uid: "u",
      ...(more.deleted === true && { deletionTimestamp: new Date(0) }),
    },
    status: {
      conditions: [{ type: "Ready", status: more.ready === true ? "True" : "False" }],
      containerStatuses: [status("app", app)],
      ...(more.sidecar && { initContainerStatuses: [status("identity", more.sidecar)] }),
    },
  };
}

/**
 * Observes the states one after the other, a millisecond apart. With `gone` the last state is that of the removed pod.
 */
function emitted(states: readonly V1Pod[], gone = false): string[] {
  const history = new PodHistory();
  return states
    .flatMap((state, atMs) =>
      gone && atMs === states.length - 1 ? history.gone(state, atMs) : history.observe(state, atMs),
    )
    .map(({ name, atMs, container, exitCode }) =>
      [atMs, name, container, exitCode].join(" ").trim(),
    );
}

test("the life of a pod: sidecar before app, ready, deleted, ended, gone", () => {
  const sidecar = running("s");
  const ended = { state: terminated("a", 0) };
  expect(
    emitted(
      [
        pod({ state: { waiting: { reason: "PodInitializing" } } }, { sidecar }),
        pod(running("a"), { sidecar }),
        pod(running("a"), { sidecar, ready: true }),
        pod(running("a"), { sidecar, ready: true, deleted: true }),
        pod(ended, { sidecar, deleted: true }),
        pod(ended, { sidecar: { state: terminated("s", 143) }, deleted: true }),
      ],
      true,
    ),
  ).toEqual([
    "0 started identity",
    "1 started app",
    "2 ready",
    "3 deletion-requested",
    "4 exit app 0",
    "4 unready",
    "5 exit identity 143",
    "5 gone",
  ]);
});

test("a restart is an exit and a start, even when the state between them was not seen", () => {
  const restarted = { ...running("b"), restartCount: 1, lastState: terminated("a", 137) };
  expect(emitted([pod(running("a")), pod(restarted), pod(restarted)])).toEqual([
    "0 started app",
    "1 exit app 137",
    "1 started app",
  ]);
});

test("a run that ended before it was seen is reported as started too", () => {
  expect(emitted([pod({ state: terminated("a", 78) })])).toEqual([
    "0 started app",
    "0 exit app 78",
  ]);
});

test("a pod becomes ready, unready and ready again", () => {
  const states = [true, false, true, true].map((ready) => pod(running("a"), { ready }));
  expect(emitted(states).filter((line) => line.endsWith("ready"))).toEqual([
    "0 ready",
    "1 unready",
    "2 ready",
  ]);
});

test("a container that could not be started has no run", () => {
  expect(
    emitted([pod({ state: { terminated: { exitCode: 128, reason: "StartError" } } })]),
  ).toEqual([]);
});
