import { createAuthority } from "#fixtures/certificates.ts";
import { embeddedService } from "#e2e/brokers/embedded/embedded-service.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/runner/owned-directory.ts";
import { seededRandom } from "#e2e/runner/random.ts";
import { openStage } from "#e2e/deployment/open-stage.ts";
import type { Stage, StageOptions } from "#e2e/deployment/stage.ts";
import { localPlatform } from "#e2e/targets/local/local-platform.ts";

/** Runs `use` on a stage of its own, with the short durations of the scenarios. */
export async function onStage<T>(
  options: StageOptions,
  compileCache: string,
  use: (stage: Stage) => Promise<T>,
): Promise<T> {
  const directory = await makeOwnedDirectory();
  const platform = localPlatform({ realTime: false, compileCache });
  const authority = await createAuthority();
  try {
    await using stage = await openStage(options, {
      directory,
      platform,
      brokers: embeddedService({ authority, host: platform.kitHost }),
      authority,
      durations: platform.durations,
      realTime: false,
      random: seededRandom(1, "bench"),
      signal: AbortSignal.timeout(60_000),
      tell: () => {},
    });
    return await use(stage);
  } finally {
    await removeDirectory(directory);
  }
}
