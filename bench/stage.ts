import { makeOwnedDirectory, removeDirectory } from "#e2e/owned-directory.ts";
import { seededRandom } from "#e2e/random.ts";
import { openStage, type Stage, type StageOptions } from "#e2e/stage.ts";
import { localPlatform } from "#e2e/targets/local-platform.ts";

/** Runs `use` on a stage of its own, with the short durations of the scenarios. */
export async function onStage<T>(
  options: StageOptions,
  compileCache: string,
  use: (stage: Stage) => Promise<T>,
): Promise<T> {
  const directory = await makeOwnedDirectory();
  try {
    await using stage = await openStage(options, {
      directory,
      platform: localPlatform({ realTime: false, compileCache }),
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
