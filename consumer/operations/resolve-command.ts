import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createSystemRandom } from "#consumer/adapters/random.ts";
import { ConsumerError, EXIT_CODE } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import type { Clock, Files, Random } from "#consumer/ports.ts";
import { attemptPath, parentOf } from "#consumer/history/base/layout.ts";
import type { Resolution } from "#consumer/history/claims/resolution.ts";
import { createWriteOnceFiles } from "#consumer/history/base/write-once.ts";
import { openAudit } from "./audit.ts";
import type { CommandContext, Options } from "./command-line.ts";
import { actionKeyOption, choiceOption, textOption } from "./options.ts";
import { mayBeResolved, readVolume } from "./volume.ts";
import type { Attempt } from "./volume.ts";

/** Runs `history resolve`. Throws "usage" when the key is not in a state that a person may resolve. */
export async function runResolve(
  key: string,
  options: Options,
  volume: { readonly files: Files; readonly directory: string },
  { print }: Pick<CommandContext, "print">,
): Promise<ExitCode> {
  const as = choiceOption("as", options.as, ["done", "failed-not-applied"] as const);
  if (as === undefined) throw new ConsumerError("usage", "--as is required");
  const said = {
    as,
    by: textOption("by", options.by),
    reason: textOption("reason", options.reason),
  };
  const system = { clock: createSystemClock(), random: createSystemRandom() };
  const resolution = await resolve(actionKeyOption(key), said, volume, system);
  print(`${key} attempt ${resolution.attempt}: resolved as ${as} by ${resolution.by}`);
  if (as === "failed-not-applied") {
    print("The next delivery of its record may act: dead-letter redrive publishes it again.");
    print("Pods may take up to a minute to see a new name on a network volume.");
  }
  return EXIT_CODE.clean;
}

/**
 * Records what an operator found out about the last attempt of a key, first in the audit and then in a file of its own.
 * The outcome stays as it is, and whoever reads the attempts reads both. A second resolution is refused.
 */
export async function resolve(
  key: string,
  said: Pick<Resolution, "as" | "by" | "reason">,
  { files, directory }: { readonly files: Files; readonly directory: string },
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<Resolution> {
  const { attempts } = await readVolume(files, directory);
  const { attempt } = resolvable(key, (await attempts(key)).at(-1));
  const resolution: Resolution = { format: 1, key, attempt, ...said, atMs: clock.wallMs() };
  const { format: _format, ...audited } = resolution;

  await using audit = openAudit({ files, clock, random });
  await audit.append({ kind: "resolution", ...audited });
  const writer = `operator-${random.nonce()}`;
  const path = attemptPath(key, attempt, "resolution");
  if (!(await createWriteOnceFiles(files, writer).link(path, resolution))) {
    await audit.append({ kind: "resolution-refused", ...audited });
    throw new ConsumerError("usage", `${key} attempt ${attempt} was resolved a moment ago`);
  }
  await files.syncDirectory(parentOf(path));
  return resolution;
}

/** Returns the attempt. Throws "usage" when it is final, or may still be running. */
function resolvable(key: string, last: Attempt | undefined): Attempt {
  if (!last) throw new ConsumerError("usage", `there is no claim of ${key} on this volume`);
  const { attempt, state, resolution, damage } = last;
  const refuse = (why: string) => new ConsumerError("usage", `${key} attempt ${attempt} ${why}`);
  if (state === "open") throw refuse("is open: a pod works on it, or will record it as in-doubt");
  const word = attemptPath(key, attempt, "resolution");
  if (damage.some((file) => file.includes(word))) {
    throw refuse(`was resolved, but that cannot be read: move ${word} away, then resolve it again`);
  }
  if (resolution) {
    const { as, by, atMs } = resolution;
    throw refuse(`was resolved as ${as} by ${by} at ${new Date(atMs).toISOString()}`);
  }
  if (state === "unreadable") throw refuse(`cannot be read here: ${damage.join("; ")}`);
  if (!mayBeResolved(last)) throw refuse(`ended as ${state}`);
  return last;
}
