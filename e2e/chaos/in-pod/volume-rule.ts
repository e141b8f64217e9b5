/** The operations on the history volume. Each call of node:fs is one of these. */
const VOLUME_OPERATIONS = [
  /** open(2) of an existing file, to be read or to be synced. */
  "open",
  /** open(2) that may create a file or write to it. */
  "create",
  "read",
  "write",
  /** fsync(2) and fdatasync(2) of a file. */
  "sync",
  /** fsync(2) of a directory. */
  "sync-directory",
  "close",
  "stat",
  "list",
  "link",
  "rename",
  "unlink",
  "make-directory",
  /** chmod(2) and chown(2). */
  "set-attributes",
] as const;

export type VolumeOperation = (typeof VOLUME_OPERATIONS)[number];

/**
 * The purpose of a path of the volume: for link(2) and rename(2) that of the new name, for a
 * descriptor that of the path that was opened.
 */
export type VolumePurpose =
  | "claim"
  | "outcome"
  | "resolution"
  /** `claims`, and the directories in it. */
  | "claims-directory"
  | "journal"
  | "snapshot"
  /** automation_action_history.json. */
  | "view"
  | "horizon"
  /** Everything else below `control`. */
  | "control"
  | "limits"
  | "imported"
  | "temporary"
  | "other";

/** A rule for the calls of one pod, or of every pod, on the volume. */
export interface VolumeRuleRequest {
  /** The name of the pod; null for every pod. */
  readonly pod: string | null;
  readonly operations: readonly VolumeOperation[];
  /** The purposes of the paths; null for any. */
  readonly purposes: readonly VolumePurpose[] | null;
  /**
   * `before`: the call is not made. `after`: the call was made with success, and the rule is about
   * its reply.
   */
  readonly phase: "before" | "after";
  readonly action: VolumeAction;
  /** The number of calls of each pod that meet the rule. Defaults to all. */
  readonly times?: number;
}

type VolumeAction =
  /** The caller sees this error of the system, such as EIO. */
  | { readonly type: "fail"; readonly code: string }
  | { readonly type: "delay"; readonly delayMs: number }
  /**
   * The n-th call, counted over all processes from 1, waits until it is released; all others pass.
   */
  | { readonly type: "hold"; readonly ordinal: number };

/** A rule as a process has it. */
export interface VolumeRule extends Omit<VolumeRuleRequest, "pod" | "times"> {
  readonly id: number;
  /** The number of calls of this process that meet the rule; null for all. */
  readonly times: number | null;
}

/** A call of node:fs on the volume. */
interface VolumeCall {
  /** The name of the system call, such as `link`. */
  readonly syscall: string;
  /** The path relative to the root of the volume; for link(2) and rename(2) the new name. */
  readonly path: string;
}

/** A call that a rule met. */
export interface Hit extends VolumeCall {
  /** The time, in milliseconds since the epoch by the runner's clock. */
  readonly atMs: number;
  readonly pod: string;
}
