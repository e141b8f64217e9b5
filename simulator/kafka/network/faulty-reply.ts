import type { Call, Pieces, RefusedPartition } from "#simulator/kafka/apis/define.ts";
import type { TriggeredFault } from "#simulator/kafka/faults/fault-registry.ts";
import type { FaultAction, FaultRule } from "#simulator/kafka/faults/fault-rule.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";

/** The duration of one part of a throttled reply. */
const PART_MS = 50;

/** One part of a reply, and the pause after it. */
interface ReplyPart {
  readonly part: Buffer;
  readonly pauseMs: number;
}

/**
 * Returns the one partition of a request that is answered with an error, when the rule applies to
 * no more than that.
 */
export function partitionRefused({
  action,
  topic,
  partition,
}: FaultRule): RefusedPartition | undefined {
  if (action.type !== "error" || action.partitionOnly !== true) return undefined;
  if (topic === undefined || partition === undefined) return undefined;
  return { topic, partition, error: errorCode(action.error) };
}

/**
 * Returns the body of a reply to which a fault applies: the original one, another error, or another
 * throttle time.
 */
export function faultyAnswer(
  action: FaultAction,
  call: Call,
  body: Pieces | undefined,
): Pieces | undefined {
  if (action.type === "error") return call.refuse(errorCode(action.error));
  if (action.type !== "throttle" || action.throttleTimeMs === undefined) return body;
  return call.throttled(action.throttleTimeMs);
}

/** Returns the parts in which the frame is sent: at once, truncated, or slowly. */
export function partsOf(action: FaultAction, frame: Buffer): ReplyPart[] {
  if (action.type === "blackhole") {
    const bytes = Math.min(action.bytes ?? 0, frame.length - 1);
    return bytes === 0 ? [] : [{ part: frame.subarray(0, bytes), pauseMs: 0 }];
  }
  if (action.type === "truncate") {
    const bytes = Math.min(action.bytes ?? frame.length >> 1, frame.length - 1);
    return [{ part: frame.subarray(0, bytes), pauseMs: 0 }];
  }
  if (action.type !== "throttle") return [{ part: frame, pauseMs: 0 }];
  const { bytesPerSecond = Number.POSITIVE_INFINITY, throttleTimeMs = 0 } = action;
  const size = Math.max(1, Math.min(frame.length, Math.floor((bytesPerSecond * PART_MS) / 1000)));
  const parts = Array.from({ length: Math.ceil(frame.length / size) }, (_, index) => {
    const part = frame.subarray(index * size, (index + 1) * size);
    return { part, pauseMs: (1000 * part.length) / bytesPerSecond };
  });
  const nothing = Buffer.alloc(0);
  return throttleTimeMs === 0 ? parts : [...parts, { part: nothing, pauseMs: throttleTimeMs }];
}

/** Resolves when the rule releases what triggered it, or when `signal` aborts. */
export async function untilReleased(triggered: TriggeredFault, signal: AbortSignal): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const end = (): void => resolve();
  signal.addEventListener("abort", end, { once: true });
  if (!signal.aborted) await Promise.race([triggered.released, aborted]);
  signal.removeEventListener("abort", end);
}
