import { expect, test } from "vitest";
import type { ContainerEvent } from "#e2e/targets/target.ts";
import { deploymentLives } from "./deployment-lives.ts";
import type { DeploymentRecord } from "./deployment-lives.ts";

const event = (atMs: number, of: string, more: Partial<ContainerEvent>): ContainerEvent => ({
  kind: "container",
  atMs,
  pod: of,
  name: "started",
  ...more,
});

const line = (atMs: number, fields: object): string =>
  JSON.stringify({ time: new Date(atMs).toISOString(), ...fields });

const draining = { event: "lifecycle.entered", state: "draining" };

/** Records a pod that comes up at once. If `endMs` is given, the pod drains and is gone at that time. */
function pod(name: string, fromMs: number, endMs?: number): Omit<DeploymentRecord, "replicas"> {
  return {
    history: [
      event(fromMs, name, { container: "app" }),
      event(fromMs, name, { name: "ready" }),
      ...(endMs === undefined
        ? []
        : [
            event(endMs - 500, name, { name: "deletion-requested" }),
            event(endMs, name, { name: "exit", container: "app", exitCode: 0 }),
            event(endMs, name, { name: "gone" }),
          ]),
    ],
    events: [{ atMs: fromMs, reason: "Scheduled", object: name }],
    activity: endMs === undefined ? [] : [{ atMs: endMs - 100, what: "LeaveGroup" }],
    logs: [
      {
        pod: name,
        container: "identity",
        restart: 0,
        text: `not JSON\n${line(fromMs, { event: "identity.written" })}\n`,
      },
      {
        pod: name,
        container: "app",
        restart: 0,
        text:
          endMs === undefined
            ? ""
            : [
                line(endMs - 300, draining),
                line(endMs - 50, { event: "process.ended" }),
                "{cut",
              ].join("\n"),
      },
    ],
  };
}

function deployment(
  replicas: number,
  ...pods: Omit<DeploymentRecord, "replicas">[]
): DeploymentRecord {
  return {
    replicas,
    history: pods.flatMap(({ history }) => history),
    events: pods.flatMap(({ events }) => events),
    activity: pods.flatMap(({ activity }) => activity),
    logs: pods.flatMap(({ logs }) => logs),
  };
}

const up = "scheduled > certificates > ready";
const ended = `${up} > deletion requested > group left > exit 0 > gone`;
const lives = (record: DeploymentRecord): string[] =>
  deploymentLives(record).map((life) => life.join(" > "));

test("names and the order of pods do not matter", () => {
  const one = lives(deployment(2, pod("a", 0), pod("b", 10, 9000)));
  expect(one).toEqual([up, ended]);
  expect(lives(deployment(2, pod("y", 5, 8000), pod("x", 10)))).toEqual(one);
});

test("as many pods are replaced as there are beyond the wanted number", () => {
  expect(lives(deployment(1, pod("a", 0, 9000), pod("b", 8500)))).toEqual([
    up,
    `${ended} > replaced`,
  ]);
  expect(lives(deployment(1, pod("a", 0), pod("b", 8500)))).toEqual([up, up]);
});

test("the pod that was draining is the one that left the group", () => {
  const killed = pod("a", 0, 9000);
  const record = deployment(2, { ...killed, activity: [] }, pod("b", 0, 20_000));
  expect(lives(record)).toEqual([`${up} > deletion requested > exit 0 > gone`, ended]);
});
