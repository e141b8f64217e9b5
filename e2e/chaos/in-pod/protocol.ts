import { z } from "zod";
import type { VolumeRule } from "./volume-rule.ts";

/**
 * Messages of the preload to the control server: lines of JSON over one TCP connection. The preload
 * speaks first, and waits for the first `state` before any code of the program runs.
 */
export const toServer = z.discriminatedUnion("type", [
  /** The first line of a connection. */
  z.strictObject({
    type: z.literal("hello"),
    /** The token of the deployment, which other programs do not have. */
    token: z.string(),
    /** The name of the pod. */
    pod: z.string(),
    /** The name of this process; it is the same on every connection that it makes. */
    process: z.string(),
    pid: z.int(),
    /** The number of connections that this process had before, and lost. */
    lost: z.int(),
  }),
  /** The state of this version is in force from now on. */
  z.strictObject({
    type: z.literal("taken"),
    version: z.int(),
    /** The time by which Date is ahead of the system's clock, as the program sees it. */
    clockAheadMs: z.number(),
  }),
  /** A rule failed or delayed a call. */
  z.strictObject({
    type: z.literal("met"),
    rule: z.int(),
    syscall: z.string(),
    path: z.string(),
  }),
  /** A call has met a rule that holds, and waits for `go`. */
  z.strictObject({
    type: z.literal("asks"),
    /** The number of this question in its process. */
    ask: z.int(),
    rule: z.int(),
    syscall: z.string(),
    path: z.string(),
  }),
]);

export type ToServer = z.infer<typeof toServer>;

export type ToPod = State | Go;

/** Everything that is in force, in place of what was before. */
interface State {
  readonly type: "state";
  readonly version: number;
  readonly rules: readonly VolumeRule[];
  readonly clockOffsetMs: number;
}

/** The calls that asked may continue. */
interface Go {
  readonly type: "go";
  readonly asks: readonly number[];
}
