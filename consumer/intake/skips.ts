import { publishDeadLetter } from "#consumer/action/dead-letter.ts";
import type { DeadLetterDependencies } from "#consumer/action/dead-letter.ts";
import { parentOf, standstillPath } from "#consumer/history/base/layout.ts";
import { createWriteOnceFiles } from "#consumer/history/base/write-once.ts";
import { messageOf } from "#consumer/errors.ts";
import type { Files, UnreadableHandler, UnreadablePositions } from "#consumer/ports.ts";
import { readSkipOrder } from "./skip-order.ts";
import type { SkipOrder, StandingPositions } from "./skip-order.ts";

interface SkipDependencies extends DeadLetterDependencies {
  readonly files: Files;
  /** The name of this pod. */
  readonly pod: string;
  /** A name that is unique to this process; the names of temporary files begin with it. */
  readonly writer: string;
  /** Aborts when the process begins to stop. */
  readonly stopping: AbortSignal;
}

/**
 * Reports on the volume at which positions a partition stands still, and checks whether an operator has ordered to
 * skip exactly these positions with exactly these bytes. When one has, the dead letter that names the positions is
 * published first.
 */
export function createSkips(dependencies: SkipDependencies): UnreadableHandler {
  const { files, log, stopping } = dependencies;
  const writeOnce = createWriteOnceFiles(files, `${dependencies.writer}.standstill`);

  async function tell(standing: StandingPositions): Promise<void> {
    const path = standstillPath(standing.topic, standing.partition);
    await files.makeDirectory(parentOf(path));
    await writeOnce.replace(path, standing);
  }

  return async (found) => {
    const { topic, partition } = found.assignment;
    const standing = standingOf(found, dependencies);
    await tell(standing).catch((error: unknown) =>
      log.warn("standstill.not-reported", { topic, partition, error: messageOf(error) }),
    );
    const order = await readSkipOrder(files, standing);
    if (order === undefined) return undefined;
    const ordered = BigInt(order.endOffset);
    const endOffset = ordered < found.endOffset ? ordered : found.endOffset;
    const giveUp = AbortSignal.any([found.assignment.signal, stopping]);
    await publishDeadLetter(letterOf(found, endOffset, order), giveUp, dependencies);
    const { by, reason } = order;
    const offset = String(found.offset);
    log.warn("partition.skipped", {
      topic,
      partition,
      offset,
      endOffset: String(endOffset),
      by,
      reason,
    });
    // When this fails the file stays behind. It is not written again, and once it is old, the command `skip` refuses to
    // order anything for it.
    await files.unlink(standstillPath(topic, partition)).catch(() => undefined);
    return endOffset;
  };
}

function standingOf(
  { assignment, offset, endOffset, fingerprint, cause, detail }: UnreadablePositions,
  { clock, pod }: SkipDependencies,
): StandingPositions {
  const { topic, partition } = assignment;
  const positions = { topic, partition, offset: String(offset), endOffset: String(endOffset) };
  return { format: 1, ...positions, fingerprint, cause, detail, pod, seenMs: clock.wallMs() };
}

function letterOf(found: UnreadablePositions, endOffset: bigint, { by, reason }: SkipOrder) {
  const { assignment, offset, detail } = found;
  const { topic, partition } = assignment;
  const lastOffset = endOffset - 1n;
  const positions =
    offset === lastOffset ? `position ${offset}` : `positions ${offset} to ${lastOffset}`;
  return {
    reason: "skipped",
    detail: `${positions} skipped by ${by}: ${reason} (${detail})`,
    record: { topic, partition, offset, key: null, value: null, headers: {}, timestampMs: -1 },
    lastOffset,
    valueOmitted: `${positions} could not be read`,
    incidentId: null,
  } as const;
}
