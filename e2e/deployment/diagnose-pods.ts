import type { V1Pod } from "@kubernetes/client-node";
import { APP, describePods, podName } from "#e2e/targets/pods.ts";
import type { Target } from "#e2e/targets/target.ts";

const EXITS_SHOWN = 5;
const LINE_CHARACTERS_MAX = 300;

/**
 * Describes why a wait for pods may not end: the state of the pods, the exit codes of the app, the last warning, and
 * the last error in the app's log.
 */
export async function diagnosePods(
  target: Pick<Target, "history" | "events" | "logs">,
  pods: readonly V1Pod[],
): Promise<string> {
  const exits = target
    .history()
    .filter((event) => event.name === "exit" && event.container === APP)
    .map(({ exitCode }) => exitCode)
    .slice(-EXITS_SHOWN);
  const warnings = target.events().filter(({ type }) => type === "Warning");
  // A back-off follows every failure and says less than the failure itself.
  const warning = warnings.findLast(({ reason }) => reason !== "BackOff") ?? warnings.at(-1);
  const error = await lastError(target, pods);
  return [
    describePods(pods),
    ...(exits.length > 0 ? [`app exited ${exits.join(", ")}`] : []),
    ...(warning === undefined ? [] : [short(`warning ${warning.reason}: ${warning.message}`)]),
    ...(error === undefined ? [] : [short(`app said ${error}`)]),
  ].join("\n     ");
}

async function lastError(
  target: Pick<Target, "logs">,
  pods: readonly V1Pod[],
): Promise<string | undefined> {
  for (const pod of pods) {
    for (const previous of [false, true]) {
      // A container that has not run yet has no log.
      const log = await target.logs(podName(pod), APP, { previous }).catch(() => "");
      const line = log.split("\n").findLast((text) => isError(text));
      if (line !== undefined) return line;
    }
  }
  return undefined;
}

/** Returns true for an error in the consumer's JSON log, and for one that a script or Node itself wrote. */
function isError(line: string): boolean {
  return /"level":"(error|fatal)"|^\s*[\w.: -]*(Error|error|fatal):/.test(line);
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > LINE_CHARACTERS_MAX ? `${line.slice(0, LINE_CHARACTERS_MAX)}...` : line;
}
