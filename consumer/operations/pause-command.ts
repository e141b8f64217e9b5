import { createHash } from "node:crypto";

import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createSystemRandom } from "#consumer/adapters/random.ts";
import { ConsumerError, EXIT_CODE, hasCode } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import { createAtomicFiles } from "#consumer/history/base/atomic-files.ts";
import { CONTROL_DIRECTORY, PAUSE_FILE } from "#consumer/history/base/layout.ts";
import {
  PAUSE_DELAY_MS,
  readPauseOrder,
  replacePauseOrder,
} from "#consumer/history/control/pause-file.ts";
import type { PauseOrder } from "#consumer/history/control/pause-file.ts";
import type { Clock, Files, Random } from "#consumer/ports.ts";
import { openAudit } from "./audit.ts";
import type { CommandContext, Options } from "./command-line.ts";
import { textOption } from "./options.ts";
import { awaitPods, describePods } from "./pause-pods.ts";
import { readVolume } from "./volume.ts";

/** The number of ended pauses that the file keeps; those before them count into the budget for retries. */
const ENDED_MAX = 50;

interface Asked {
  readonly paused: boolean;
  readonly by: string;
  readonly reason: string;
}

interface System {
  readonly clock: Clock;
  readonly random: Random;
}

interface WritableVolume {
  readonly files: Files;
  readonly directory: string;
}

/** `pause` and `resume`. Throws "usage" when the work is paused already, or is not paused. */
export async function runPause(
  name: "pause" | "resume",
  options: Options,
  volume: WritableVolume,
  { print, stop }: Pick<CommandContext, "print" | "stop">,
): Promise<ExitCode> {
  const asked = {
    paused: name === "pause",
    by: textOption("by", options.by),
    reason: textOption("reason", options.reason),
  };
  const system = { clock: createSystemClock(), random: createSystemRandom() };
  const { order, previous } = await orderPause(asked, volume, system);
  for (const line of asked.paused ? pausedLines(order) : resumedLines(order, previous)) print(line);
  const pods = await awaitPods(order, volume, system.clock, stop);
  for (const line of describePods(pods, asked.paused)) print(line);
  return EXIT_CODE.clean;
}

/**
 * Orders the pods to pause or to resume: audited first, then by replacing the file that they read before each claim. A
 * damaged file is replaced as well. Returns the order, and the one before it unless that was damaged.
 */
export async function orderPause(
  { paused, by, reason }: Asked,
  { files, directory }: WritableVolume,
  { clock, random }: System,
): Promise<{ readonly order: PauseOrder; readonly previous: PauseOrder | undefined }> {
  // A directory without a history is told as such.
  await readVolume(files, directory);
  const previous = await previousOrder(files);
  if (previous?.paused === paused) throw refusal(previous);
  const atMs = clock.wallMs();
  const ended = [...(previous?.ended ?? [])];
  if (previous?.paused === true) ended.push({ fromMs: previous.atMs, toMs: atMs });
  const order: PauseOrder = {
    format: 1,
    id: random.nonce(),
    paused,
    by,
    reason,
    atMs,
    ended: ended.slice(-ENDED_MAX),
  };
  await using audit = openAudit({ files, clock, random });
  const key = createHash("sha256").update(PAUSE_FILE).digest("hex");
  const { id } = order;
  await audit.append({ kind: paused ? "pause" : "resume", key, id, by, reason, atMs });
  await files.makeDirectory(CONTROL_DIRECTORY);
  const atomicFiles = createAtomicFiles({ files, writer: `operator-${random.nonce()}` });
  await replacePauseOrder(files, atomicFiles, order);
  return { order, previous };
}

/** Returns undefined when the file is missing or damaged: it says nothing then, and is replaced. */
async function previousOrder(files: Files): Promise<PauseOrder | undefined> {
  try {
    return await readPauseOrder(files);
  } catch (error) {
    if (hasCode(error, "history-damaged")) return undefined;
    throw error;
  }
}

function refusal({ paused, by, reason, atMs }: PauseOrder): ConsumerError {
  if (!paused) return new ConsumerError("usage", "the work is not paused");
  const at = new Date(atMs).toISOString();
  return new ConsumerError("usage", `the work was paused by ${by} at ${at}: ${reason}`);
}

function pausedLines({ by, reason, atMs }: PauseOrder): string[] {
  const seconds = PAUSE_DELAY_MS / 1000;
  return [
    `paused by ${by} at ${new Date(atMs).toISOString()}: ${reason}`,
    `From ${seconds} s after that on, no pod claims an action. What is claimed by then ends as usual, within the`,
    "deadline of its action. Records with an action that is left wait and are not committed; pods stay ready.",
  ];
}

function resumedLines(
  { by, reason, atMs }: PauseOrder,
  previous: PauseOrder | undefined,
): string[] {
  const lasted =
    previous === undefined
      ? "nobody could read the order before this one"
      : `paused since ${new Date(previous.atMs).toISOString()} by ${previous.by}`;
  return [
    `resumed by ${by} at ${new Date(atMs).toISOString()}: ${reason} (${lasted})`,
    "How many of the waiting records are too old by now cannot be known here: nothing on the volume tells of an",
    'action before its first claim. The metric kafka_consumer_actions_total{result="too-old"} and the log event',
    "action.too-old count them as the pods come to them.",
  ];
}
