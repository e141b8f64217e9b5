import { dirname, join, resolve } from "node:path";
import { checkSecrets } from "#e2e/checkers/check-secrets.ts";
import type { CommonArguments } from "#e2e/base/run-arguments.ts";
import { makeDirectory } from "#e2e/base/make-directory.ts";
import { runId } from "#e2e/base/run-id.ts";

/**
 * Creates the directory of this run, and that of the JUnit report, before anything starts. Throws
 * UsageError where that is not possible.
 */
export async function makeArtifacts(
  { artifacts, junit }: Pick<CommonArguments, "artifacts" | "junit">,
  seed: number,
): Promise<string> {
  const directory = join(resolve(artifacts), runId(seed));
  await makeDirectory("--artifacts ($SD_ARTIFACTS_DIR)", directory);
  if (junit !== null) await makeDirectory("--junit", dirname(resolve(junit)));
  return directory;
}

/**
 * Reports every secret in an artifact as a failure, without its value. Returns how many there are.
 */
export async function reportLeaks(
  artifacts: string,
  secrets: ReadonlyMap<string, string>,
  line: (text: string) => void,
): Promise<number> {
  const leaks = await checkSecrets(artifacts, secrets);
  for (const leak of leaks) line(`FAIL ${leak}`);
  return leaks.length;
}
