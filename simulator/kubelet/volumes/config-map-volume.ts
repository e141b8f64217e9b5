import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ConfigMapObject } from "#simulator/kubelet/validation/supported-objects.ts";
import type { VolumeSpec } from "#simulator/kubelet/validation/supported-pod.ts";

type ConfigMapSource = NonNullable<VolumeSpec["configMap"]>;

/**
 * Writes the files of a ConfigMap as the kubelet's atomic writer does: a new directory
 * `..<time>.<random>`, one rename of the link `..data`, and a link for each file to `..data`. It
 * serves the first write and updates.
 */
export async function writeConfigMap(
  volume: string,
  source: ConfigMapSource,
  configMap: ConfigMapObject | undefined,
): Promise<void> {
  const files = selectFiles(source, configMap);
  const stamp = new Date().toISOString().replaceAll(/[-:T]/g, "_").replace(/\..*/, "");
  const fresh = `..${stamp}.${randomBytes(5).readUIntBE(0, 5)}`;
  await mkdir(join(volume, fresh), { recursive: true });
  for (const [path, content] of files) {
    const file = join(volume, fresh, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    await chmod(file, source.defaultMode);
  }
  const stale = await readlink(join(volume, "..data")).catch(() => undefined);
  await symlink(fresh, join(volume, "..data_tmp"));
  await rename(join(volume, "..data_tmp"), join(volume, "..data"));
  const names = new Set([...files.keys()].map((path) => path.split("/")[0] ?? path));
  const present = new Set(await readdir(volume));
  for (const name of names) {
    if (!present.has(name)) {
      await symlink(join("..data", name), join(volume, name));
    }
  }
  for (const name of present) {
    if (!name.startsWith("..") && !names.has(name)) {
      await rm(join(volume, name));
    }
  }
  if (stale !== undefined) {
    await rm(join(volume, stale), { recursive: true });
  }
}

function selectFiles(
  source: ConfigMapSource,
  configMap: ConfigMapObject | undefined,
): Map<string, Buffer> {
  const content = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(configMap?.data ?? {})) {
    content.set(key, Buffer.from(text));
  }
  for (const [key, base64] of Object.entries(configMap?.binaryData ?? {})) {
    content.set(key, Buffer.from(base64, "base64"));
  }
  if (source.items === undefined) {
    return content;
  }
  return new Map(
    source.items.flatMap(({ key, path }) => {
      const bytes = content.get(key);
      return bytes === undefined ? [] : [[path, bytes]];
    }),
  );
}
