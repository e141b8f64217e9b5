import { createHash } from "node:crypto";

import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createSystemRandom } from "#consumer/adapters/random.ts";
import { ConsumerError, EXIT_CODE } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import type { Clock, Files, Random } from "#consumer/ports.ts";
import { readSkipOrder, readStanding } from "#consumer/intake/skip-order.ts";
import type { SkipOrder, StandingPositions } from "#consumer/intake/skip-order.ts";
import { createWriteOnceFiles } from "#consumer/history/base/write-once.ts";
import { openAudit } from "./audit.ts";
import type { CommandContext, Options } from "./command-line.ts";
import { offsetOption, partitionOption, textOption } from "./options.ts";
import { readVolume } from "./volume.ts";
import { skipOrderPath, parentOf } from "#consumer/history/base/layout.ts";

/**
 * The largest age of a standing position, in milliseconds. A pod writes it every 15 s. An older position may have been
 * passed since, or the partition may belong to another pod.
 */
const SEEN_MS_MAX = 300_000;

interface Asked {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly by: string;
  readonly reason: string;
}

/** Runs `skip`. Throws "usage" when the partition does not stand still at that offset. */
export async function runSkip(
  options: Options,
  volume: { readonly files: Files; readonly directory: string },
  { print }: Pick<CommandContext, "print">,
): Promise<ExitCode> {
  const asked = {
    topic: textOption("topic", options.topic),
    partition: partitionOption(options.partition),
    offset: offsetOption(options.offset),
    by: textOption("by", options.by),
    reason: textOption("reason", options.reason),
  };
  const system = { clock: createSystemClock(), random: createSystemRandom() };
  const { endOffset } = await orderSkip(asked, volume, system);
  const last = BigInt(endOffset) - 1n;
  print(
    `${asked.topic}/${asked.partition}: positions ${asked.offset} to ${last} are to be skipped`,
  );
  print(
    "The pod that stands there sends their dead letter and goes on; it may take two minutes to see",
  );
  print("a new name on a network volume. Its log says partition.skipped.");
  return EXIT_CODE.clean;
}

/**
 * Orders the consumer to pass the records at a position, first in the audit and then in a file of its own. The consumer
 * reads that file only while it stands still at that position before the same bytes. The command itself commits
 * nothing, so it cannot race the consumer group.
 */
export async function orderSkip(
  asked: Asked,
  { files, directory }: { readonly files: Files; readonly directory: string },
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<SkipOrder> {
  // A directory without a history is reported as such.
  await readVolume(files, directory);
  const standing = await standingAt(asked, files, clock.wallMs());
  const { topic, partition, offset, endOffset, fingerprint } = standing;
  const positions = { topic, partition, offset, endOffset, fingerprint };
  const { by, reason } = asked;
  const order: SkipOrder = { format: 1, ...positions, by, reason, atMs: clock.wallMs() };
  const before = await readSkipOrder(files, standing);
  if (before !== undefined) throw refusal(asked, orderedBefore(before));

  const path = skipOrderPath(order);
  const { format: _format, ...audited } = order;
  const key = createHash("sha256").update(path).digest("hex");
  await using audit = openAudit({ files, clock, random });
  await audit.append({ kind: "skip", key, ...audited });
  await files.makeDirectory(parentOf(path));
  if (!(await createWriteOnceFiles(files, `operator-${random.nonce()}`).link(path, order))) {
    await audit.append({ kind: "skip-refused", key, ...audited });
    throw refusal(asked, "was ordered to be skipped a moment ago");
  }
  await files.syncDirectory(parentOf(path));
  return order;
}

async function standingAt(asked: Asked, files: Files, nowMs: number): Promise<StandingPositions> {
  const { topic, partition, offset } = asked;
  const standing = await readStanding(files, topic, partition);
  if (standing === undefined) throw refusal(asked, "does not stand still");
  if (standing.offset !== offset) {
    throw refusal(asked, `does not stand still there, but at offset ${standing.offset}`);
  }
  if (Math.abs(nowMs - standing.seenMs) > SEEN_MS_MAX) {
    const seen = new Date(standing.seenMs).toISOString();
    throw refusal(asked, `was last seen to stand still at ${seen}, by ${standing.pod}`);
  }
  return standing;
}

function orderedBefore({ by, atMs }: SkipOrder): string {
  return `was ordered to be skipped by ${by} at ${new Date(atMs).toISOString()}`;
}

function refusal({ topic, partition, offset }: Asked, why: string): ConsumerError {
  return new ConsumerError("usage", `${topic}/${partition} at offset ${offset} ${why}`);
}
