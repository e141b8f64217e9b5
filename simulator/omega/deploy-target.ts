import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DEPLOYMENTS } from "./identities.ts";
import type { OmegaJob } from "./identities.ts";
import type { RenderOptions } from "./render.ts";
import { parseOmega } from "./schema.ts";

/**
 * What `deploy_target` gives to a render of `job`: omega.yaml, the claim's manifest, and the files that the copy-config step
 * put into omega/config (files whose name begins with a dot are left out). Throws OmegaError, or Node's error for a file that is
 * not there.
 */
export async function readDeployTarget(
  directory: string,
  job: OmegaJob,
): Promise<Pick<RenderOptions, "omega" | "job" | "claimManifest" | "configFiles">> {
  const [omega, claimManifest, configFiles] = await Promise.all([
    readFile(join(directory, "omega/omega.yaml"), "utf8"),
    readFile(join(directory, DEPLOYMENTS[job].claimFile), "utf8"),
    readConfigFiles(join(directory, "omega/config")),
  ]);
  return { omega: parseOmega(omega), job, claimManifest, configFiles };
}

async function readConfigFiles(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith("."));
  const files = names.map(
    async ({ name }) => [name, await readFile(join(directory, name), "utf8")] as const,
  );
  return Object.fromEntries(await Promise.all(files));
}
