/**
 * The closed set of things that go wrong. A code names the rule that was broken, the message names the
 * place and the value, `retriable` says whether waiting can help. Expected conditions of a record (an old
 * incident, a refused action) are values, not errors.
 */
export const EXIT_CODE = {
  clean: 0,
  /** A comparison that was asked for found a difference. */
  mismatch: 1,
  usage: 2,
  internal: 70,
  dependencyStayedAway: 75,
  accessDenied: 77,
  badConfiguration: 78,
} as const;

export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE];

const CODES = {
  /** argv is wrong. */
  usage: { exitCode: EXIT_CODE.usage, retriable: false },
  /** The configuration file or an environment variable is wrong; the message lists every fault. */
  "bad-configuration": { exitCode: EXIT_CODE.badConfiguration, retriable: false },
  /** A certificate or key file is absent, unreadable, expired or does not match its pair. */
  "identity-unusable": { exitCode: EXIT_CODE.dependencyStayedAway, retriable: true },
  /** CKMS knows the caller and refuses it. */
  "secret-denied": { exitCode: EXIT_CODE.accessDenied, retriable: true },
  /** CKMS cannot be reached, or answers something that is not a secret. */
  "secret-unavailable": { exitCode: EXIT_CODE.dependencyStayedAway, retriable: true },
  /** The broker refuses the SASL credentials. */
  "broker-authentication": { exitCode: EXIT_CODE.accessDenied, retriable: true },
  /** The broker refuses the topic or the group to this principal. */
  "broker-denied": { exitCode: EXIT_CODE.accessDenied, retriable: true },
  /** The broker cannot be reached. */
  "broker-unavailable": { exitCode: EXIT_CODE.dependencyStayedAway, retriable: true },
  /** The topic's limit (`max.message.bytes`) is below the size of this record: it will never be taken. */
  "record-too-large": { exitCode: EXIT_CODE.internal, retriable: false },
  /** The partition belongs to another member now: stop working on it, commit nothing. */
  "assignment-lost": { exitCode: EXIT_CODE.internal, retriable: true },
  /**
   * The process stops: work that is not done stays uncommitted, and the next owner of the partition gets it again.
   */
  stopping: { exitCode: EXIT_CODE.internal, retriable: true },
  /** The history volume cannot be read or written. */
  "history-unavailable": { exitCode: EXIT_CODE.dependencyStayedAway, retriable: true },
  /** This pod's clock and the volume's differ by more than execution.clockSkewMsMax. */
  "clock-beyond-skew": { exitCode: EXIT_CODE.dependencyStayedAway, retriable: true },
  /** The history directory is not a mount of its own although `requireMount` is set. */
  "history-not-mounted": { exitCode: EXIT_CODE.badConfiguration, retriable: false },
  /** A file of the history that is written once holds what no version writes: it was damaged since. */
  "history-damaged": { exitCode: EXIT_CODE.internal, retriable: false },
  /** A file of the history has a newer format version, or is not ours. */
  "history-unreadable": { exitCode: EXIT_CODE.internal, retriable: false },
  /** A broken invariant: the process stops. */
  internal: { exitCode: EXIT_CODE.internal, retriable: false },
} as const satisfies Record<string, { exitCode: ExitCode; retriable: boolean }>;

export type ErrorCode = keyof typeof CODES;

/** Every error that this project throws on purpose. `message` is for a person and holds no secret. */
export class ConsumerError extends Error {
  override readonly name = "ConsumerError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get retriable(): boolean {
    return CODES[this.code].retriable;
  }

  get exitCode(): ExitCode {
    return CODES[this.code].exitCode;
  }
}

export function hasCode(error: unknown, code: ErrorCode): error is ConsumerError {
  return error instanceof ConsumerError && error.code === code;
}

/** The code of a system error, such as ENOENT; undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Returns the message of whatever was thrown, for a person. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
