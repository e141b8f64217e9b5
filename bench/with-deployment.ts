import { createAuthority } from "#fixtures/certificates.ts";
import { embeddedBrokers } from "#e2e/brokers/embedded/embedded-provider.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import { seededRandom } from "#e2e/base/random.ts";
import { openDeployment } from "#e2e/deployment/open-deployment.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { DeploymentOptions } from "#e2e/deployment/deployment-options.ts";
import { localPlatform } from "#e2e/targets/local/local-platform.ts";

/** Runs `use` on a deployment of its own, with the short durations of the scenarios. */
export async function withDeployment<T>(
  options: DeploymentOptions,
  compileCache: string,
  use: (deployment: TestDeployment) => Promise<T>,
): Promise<T> {
  const directory = await makeOwnedDirectory();
  const platform = localPlatform({ realTime: false, compileCache });
  const authority = await createAuthority();
  try {
    await using deployment = await openDeployment(options, {
      directory,
      platform,
      brokers: embeddedBrokers({ authority, host: platform.kitHost }),
      authority,
      durations: platform.durations,
      realTime: false,
      random: seededRandom(1, "bench"),
      signal: AbortSignal.timeout(60_000),
      recordEvent: () => {},
    });
    return await use(deployment);
  } finally {
    await removeDirectory(directory);
  }
}
