import { spawn } from "node:child_process";
import { once } from "node:events";
import { APP, containerStatus } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { median } from "../compare.ts";
import type { Measure } from "../figure.ts";
import { withDeployment } from "../with-deployment.ts";

const ROUNDS = 5;
const STOP_MS_MAX = 300;

/**
 * Figure (f) measures the time from SIGTERM to PID 1 of an idle pod until its exit: the script, the drain,
 * leaving the group, sealing the journal.
 */
export const stopping: Measure = async ({ compileCache, printLine }) => {
  const stops = await withDeployment({}, compileCache, async (deployment) => {
    const durations: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      durations.push(await stopOnce(deployment, round));
    }
    return durations;
  });
  printLine(`f: SIGTERM to exit ${stops.join(", ")} ms`);
  const peers: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) peers.push(await stopBareProcess());
  const measured = median(stops);
  const peer = median(peers);
  return [
    {
      group: "f",
      what: "SIGTERM to exit, idle",
      measured,
      unit: "ms",
      peerName: "node that only catches SIGTERM",
      peer,
      ratio: measured / peer,
      limit: `at most ${STOP_MS_MAX} ms`,
      reached: measured <= STOP_MS_MAX,
    },
  ];
};

/** Stops the container once; it is restarted afterwards. */
async function stopOnce(deployment: TestDeployment, round: number): Promise<number> {
  const name = await deployment.readyPod();
  await deployment.until("the container runs", () => {
    const pod = deployment.target.lastSeen(name);
    return pod !== undefined && containerStatus(pod)?.restartCount === round;
  });
  const startMs = Date.now();
  await deployment.target.kill(name, APP, "SIGTERM");
  const exit = await deployment.until(
    "the container ends",
    () =>
      deployment.target
        .history()
        .filter((event) => event.name === "exit" && event.container === APP)[round],
  );
  if (exit.exitCode !== 0) throw new Error(`exit code ${String(exit.exitCode)}`);
  return exit.atMs - startMs;
}

async function stopBareProcess(): Promise<number> {
  const script =
    'process.on("SIGTERM", () => process.exit()); setInterval(() => {}, 1000); console.log()';
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const startMs = performance.now();
  child.kill("SIGTERM");
  await once(child, "exit");
  return performance.now() - startMs;
}
