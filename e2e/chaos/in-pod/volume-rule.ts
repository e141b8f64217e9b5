/** What is done to the history volume. Each call of node:fs is one of these. */
const VOLUME_OPERATIONS = [
  /** open(2) of what is there, to be read or to be synced. */
  "open",
  /** open(2) that may make a file or write to it. */
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

/** What a path of the volume is for: of link(2) and rename(2) the new name, of a descriptor the path that was opened. */
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

/** What the volume does to the calls of one pod, or of every pod. */
export interface VolumeRuleRequest {
  /** Name of the pod; null: every pod. */
  readonly pod: string | null;
  readonly operations: readonly VolumeOperation[];
  /** null: whatever it is for. */
  readonly purposes: readonly VolumePurpose[] | null;
  /** `before`: the call is not made. `after`: it was made, with success, and its reply is what the rule is about. */
  readonly phase: "before" | "after";
  readonly action: VolumeAction;
  /** How many calls of each pod it meets. Default: all. */
  readonly times?: number;
}

type VolumeAction =
  /** The caller sees this error of the system, such as EIO. */
  | { readonly type: "fail"; readonly code: string }
  | { readonly type: "delay"; readonly delayMs: number }
  /** The n-th call, counted over all processes from 1, waits until it is released; all others pass. */
  | { readonly type: "hold"; readonly ordinal: number };

/** A rule as a process has it. */
export interface VolumeRule extends Omit<VolumeRuleRequest, "pod" | "times"> {
  readonly id: number;
  /** How many calls of this process it meets; null: all. */
  readonly times: number | null;
}

/** A call of node:fs on the volume. */
interface VolumeCall {
  /** Of the system, such as `link`. */
  readonly syscall: string;
  /** Relative to the root of the volume; of link(2) and rename(2) the new name. */
  readonly path: string;
}

/** A call that a rule met. */
export interface Hit extends VolumeCall {
  /** Milliseconds since the epoch, by the clock of the runner. */
  readonly atMs: number;
  readonly pod: string;
}
