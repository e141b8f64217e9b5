import { expect, test } from "vitest";
import { JournalReader } from "./kind-journal.ts";

const APP = "c17bc0b5befefab2";
const POD = 'pod="sre-1/consumer-jjm7w" podUID="d3c7" containerName="app"';

/** These lines have the format of kubelet 1.34 and containerd 1.6. */
const KUBELET = (seconds: string, text: string) =>
  `${seconds} worker kubelet[229]: I1126 02:26:11.001756     229 kuberuntime_container.go:845] ` +
  `${text} ${POD} containerID="containerd://${APP}" gracePeriod=1`;
const CONTAINERD = (seconds: string, text: string) =>
  `${seconds} worker containerd[159]: time="2026-11-26T02:26:12.170282819Z" level=info msg="${text}"`;

function read(...lines: string[]) {
  const reader = new JournalReader();
  return lines.map((line) => reader.read(line)).filter((entry) => entry !== null);
}

const FOUND = { kind: "container", pod: "consumer-jjm7w", container: "app" };

test("reports the begin and the end of a preStop hook and the signals after it, with their times", () => {
  expect(
    read(
      KUBELET("1795659971.002137", '"Killing container with a grace period override"'),
      KUBELET("1795659971.002400", '"Running preStop hook"'),
      KUBELET("1795659971.900001", '"PreStop hook completed"'),
      KUBELET("1795659971.950000", '"Killing container with a grace period"'),
      CONTAINERD("1795659972.319853", `Stop container \\"${APP}\\" with signal terminated`),
      CONTAINERD("1795659974.399647", `Kill container \\"${APP}\\"`),
    ),
  ).toEqual([
    { namespace: "sre-1", event: { ...FOUND, name: "pre-stop-started", atMs: 1_795_659_971_002 } },
    { namespace: "sre-1", event: { ...FOUND, name: "pre-stop-ended", atMs: 1_795_659_971_900 } },
    {
      namespace: "sre-1",
      event: { ...FOUND, name: "signal", signal: "SIGTERM", atMs: 1_795_659_972_320 },
    },
    {
      namespace: "sre-1",
      event: { ...FOUND, name: "signal", signal: "SIGKILL", atMs: 1_795_659_974_400 },
    },
  ]);
});

test("a hook that is given up at the end of the grace period ends only once", () => {
  const entries = read(
    KUBELET("1.000000", '"PreStop hook not completed in grace period"'),
    KUBELET("4.000000", '"PreStop hook failed" err="command exited with 137: "'),
  );
  expect(entries.map(({ event }) => event.atMs)).toEqual([1000]);
});

test("lines about unknown containers and other lines yield no event", () => {
  expect(
    read(
      CONTAINERD("1.0", `Stop container \\"${APP}\\" with signal terminated`),
      CONTAINERD("1.0", `StopContainer for \\"${APP}\\" returns successfully`),
      "-- Boot 3a5c --",
      "",
    ),
  ).toEqual([]);
});
