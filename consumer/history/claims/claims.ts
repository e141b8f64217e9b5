import { z } from "zod";
import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Metrics } from "#consumer/ports.ts";
import { ATTEMPT_OUTCOMES } from "#consumer/history/base/entry.ts";
import { FORMAT, isNoFile, parseVersioned } from "#consumer/history/base/format.ts";
import { attemptPath, claimsDirectoryOf, parentOf } from "#consumer/history/base/layout.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";

const claimSchema = z.object({
  key: z.string(),
  attempt: z.int().min(1),
  /** Identifies one run of one attempt. It is kept in memory only, so that no other run takes the claim for its own. */
  nonce: z.string(),
  pod: z.string(),
  rule: z.string(),
  action: z.string(),
  incidentId: z.string(),
  transition: z.string(),
  startedOnMs: z.number(),
  topic: z.string(),
  partition: z.int(),
  /** The offset, in decimal. */
  offset: z.string(),
  claimedAtMs: z.number(),
  /**
   * The digest of the request or command, see request-digest.ts. Absent in a claim of an older version and where a
   * template could not be filled.
   */
  requestDigest: z.string().optional(),
});

/** Why attempts end, as this version writes it. */
const REASONS = [
  "sent",
  "dry-run",
  // Left to a person.
  "manual",
  // Beyond the limits of its rule.
  "suppressed",
  // A template has no value for one of its places.
  "unfillable",
  // An earlier attempt had another request under the same key.
  "request-changed",
  "too-old",
  "deadline-passed",
  "revoked",
  "orphaned",
] as const;

/**
 * A later version may write a reason that this one does not know, while both run during a rollout. How the attempt
 * ended counts all the same, so an unknown reason must not make the file look damaged.
 */
const reasonSchema = z
  .string()
  .transform((text) => REASONS.find((reason) => reason === text) ?? ("unknown" as const));

const outcomeSchema = z.object({
  key: z.string(),
  attempt: z.int().min(1),
  /** The nonce of the run that wrote the outcome. It equals the claim's when the owner wrote it. */
  nonce: z.string(),
  pod: z.string(),
  outcome: z.enum(ATTEMPT_OUTCOMES),
  /** "sent" when the action endpoint decided the outcome, and otherwise why the action was not sent. */
  reason: reasonSchema,
  detail: z.string(),
  atMs: z.number(),
});

/** The record of a claim: everything that is needed to finish an attempt without its owner. */
export type Claim = Readonly<z.infer<typeof claimSchema>>;

/** The record of how an attempt ended. */
export type Outcome = Readonly<z.infer<typeof outcomeSchema>>;

const UNSENT: ReadonlySet<Outcome["reason"]> = new Set([
  "manual",
  "suppressed",
  "unfillable",
  "request-changed",
]);

/** True for an attempt that was rejected before anything was sent, so that an operator may permit another one. */
export function isUnsent({ outcome, reason }: Outcome): boolean {
  return outcome === "rejected" && UNSENT.has(reason);
}

const WITHOUT_REQUEST: ReadonlySet<Outcome["reason"]> = new Set([
  "revoked",
  "deadline-passed",
  "request-changed",
]);

/**
 * True when later attempts must make the same request: this one may have been sent, or its dead letter told a person
 * what would be sent. An attempt that its owner gave up before sending binds nothing, so that a rollout of a mended
 * rule does not end the actions that the old pods gave up when they stopped.
 */
export function bindsRequest({ reason }: Outcome): boolean {
  return !WITHOUT_REQUEST.has(reason);
}

/**
 * The write-once files of attempts. Every method tries once and throws the volume's errors, "history-unreadable" or
 * "history-damaged".
 */
export interface Claims {
  readClaim(key: string, attempt: number): Promise<Claim | undefined>;
  readOutcome(key: string, attempt: number): Promise<Outcome | undefined>;
  /**
   * Links the file of a claim. Returns "taken" when the name exists: read the file to learn whose it is. The name is
   * not durable before `sync`.
   */
  linkClaim(claim: Claim): Promise<"linked" | "taken">;
  linkOutcome(outcome: Outcome): Promise<"linked" | "taken">;
  /** Makes every name of this key durable, whichever pod linked it. */
  sync(key: string): Promise<void>;
}

export interface ClaimsOptions {
  readonly files: Files;
  readonly atomicFiles: AtomicFiles;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export function createClaims(options: ClaimsOptions): Claims {
  const { files, atomicFiles, clock, metrics } = options;
  const directories = new Set<string>();

  const link = async (path: string, content: object): Promise<"linked" | "taken"> => {
    const directory = parentOf(path);
    if (!directories.has(directory)) {
      await files.makeDirectory(directory);
      directories.add(directory);
    }
    const bytes = Buffer.from(`${JSON.stringify({ format: FORMAT, ...content })}\n`);
    try {
      return await atomicFiles.link(path, [bytes]);
    } catch (error) {
      directories.delete(directory);
      throw error;
    }
  };

  return {
    ...createClaimReader(files),
    linkClaim: (claim) => link(attemptPath(claim.key, claim.attempt, "claim"), claim),
    linkOutcome: (outcome) => link(attemptPath(outcome.key, outcome.attempt, "outcome"), outcome),
    async sync(key) {
      const startMs = clock.monotonicMs();
      await files.syncDirectory(claimsDirectoryOf(key));
      metrics.observe("fsync", clock.monotonicMs() - startMs);
    },
  };
}

/** Reads the files of attempts. */
export function createClaimReader(
  files: Pick<Files, "read">,
): Pick<Claims, "readClaim" | "readOutcome"> {
  return {
    readClaim: (key, attempt) => readNamed(files, claimSchema, key, attempt, "claim"),
    readOutcome: (key, attempt) => readNamed(files, outcomeSchema, key, attempt, "outcome"),
  };
}

async function readNamed<T extends { key: string; attempt: number }>(
  files: Pick<Files, "read">,
  schema: z.ZodType<T>,
  key: string,
  attempt: number,
  kind: "claim" | "outcome",
): Promise<T | undefined> {
  const path = attemptPath(key, attempt, kind);
  const bytes = await readIfPresent(files, path);
  if (!bytes) return undefined;
  const value = parseVersioned(schema, bytes, path);
  if (value.key !== key || value.attempt !== attempt) {
    throw new ConsumerError("history-damaged", `${path}: holds another attempt's ${kind}`);
  }
  return value;
}

async function readIfPresent(
  files: Pick<Files, "read">,
  path: string,
): Promise<Uint8Array | undefined> {
  try {
    return await files.read(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (!isNoFile(error)) throw error;
    throw new ConsumerError("history-damaged", `${path}: is not a regular file`, { cause: error });
  }
}
