import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { OmegaError } from "./errors.ts";
import { DEPLOYMENTS } from "./manifests/identities.ts";
import type { OmegaJob } from "./manifests/identities.ts";
import type { RenderOptions } from "./manifests/render.ts";
import { parseOmega } from "./document/schema.ts";

type Target = Pick<RenderOptions, "omega" | "job" | "claimManifest" | "configFiles">;

/** The directory that `configMounts` mounts. */
const CONFIG_DIRECTORY = "deploy_target/omega/config";
const CONFIGURATION = "config.yaml";

/**
 * Reads what `deploy_target` contributes to a rendering of `job`: omega.yaml, the manifest of the PVC, and the files of
 * omega/config (except those whose name begins with a dot). Throws OmegaError, also for a file that a ConfigMap cannot
 * carry, and Node's error for a missing file.
 */
export async function readDeployTarget(directory: string, job: OmegaJob): Promise<Target> {
  const [omega, claimManifest, configFiles] = await Promise.all([
    readFile(join(directory, "omega/omega.yaml"), "utf8"),
    readFile(join(directory, DEPLOYMENTS[job].claimFile), "utf8"),
    readConfigFiles(join(directory, "omega/config")),
  ]);
  return { omega: parseOmega(omega), job, claimManifest, configFiles };
}

/**
 * Reads the same, with the configuration of the job in place of the config.yaml that an earlier
 * copy-config left. `ignored` says that there was another one.
 */
export async function readDeployment(
  repository: string,
  job: OmegaJob,
): Promise<Target & { readonly ignored?: string }> {
  const target = await readDeployTarget(join(repository, "deploy_target"), job);
  const { configurationFile } = DEPLOYMENTS[job];
  const configuration = decoded(await readFile(join(repository, configurationFile)));
  if (configuration === undefined) throw new OmegaError(configurationFile, ["not UTF-8 text"]);
  const { [CONFIGURATION]: left = configuration } = target.configFiles;
  const present = `${CONFIG_DIRECTORY}/${CONFIGURATION}`;
  const ignored = `${present} is ignored: it differs from ${configurationFile}, which is used`;
  return {
    ...target,
    configFiles: { ...target.configFiles, [CONFIGURATION]: configuration },
    ...(left !== configuration && { ignored }),
  };
}

async function readConfigFiles(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith("."));
  const files: Record<string, string> = {};
  const faults: string[] = [];
  for (const name of names.toSorted()) {
    const path = join(directory, name);
    // Links are followed: a link to a file is copied as a file.
    if (!(await stat(path)).isFile()) {
      faults.push(`${name}: no file, and a ConfigMap holds nothing else`);
      continue;
    }
    const text = decoded(await readFile(path));
    if (text === undefined) faults.push(`${name}: not UTF-8 text, and only text is mounted`);
    else files[name] = text;
  }
  if (faults.length > 0) throw new OmegaError(CONFIG_DIRECTORY, faults);
  return files;
}

/** Returns undefined for bytes that are not UTF-8, because they would reach the pod changed. */
function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
