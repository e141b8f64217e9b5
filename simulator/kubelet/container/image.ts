import { cp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PathTable } from "./path-table.ts";
import type { LocalImage } from "#simulator/kubelet/types.ts";

export interface StagedRoot {
  /** The host directory that serves as `/` of the container. */
  readonly directory: string;
  readonly paths: PathTable;
  /** The host path of the list of mounts, in the form of /proc/self/mountinfo. */
  readonly mountinfoPath: string;
}

/** Returns undefined when no image of the table has that name. */
export function findImage(
  images: readonly LocalImage[],
  reference: string,
): LocalImage | undefined {
  return images.find(({ name }) => {
    const pattern = name.split("*").map((part) => RegExp.escape(part));
    return new RegExp(`^${pattern.join(".*")}$`).test(reference);
  });
}

export interface StageOptions {
  readonly image: LocalImage;
  /** The host directories of volumes by container path. */
  readonly mounts: ReadonlyMap<string, string>;
  /** Host paths that are never taken for container paths. */
  readonly hostPaths: readonly string[];
  /** The directory to create. It is replaced when it exists. */
  readonly directory: string;
}

/**
 * Creates a fresh root file system for one run of a container: files, directories, and each mount
 * as a link.
 */
export async function stageRoot(options: StageOptions): Promise<StagedRoot> {
  const { image, mounts, hostPaths, directory } = options;
  await rm(directory, { recursive: true, force: true });
  const root = join(directory, "root");
  await mkdir(root, { recursive: true });
  const hidden = (path: string): boolean =>
    [...mounts.keys()].some((mount) => `${path}/`.startsWith(`${mount}/`));
  const known = new Set([...mounts.keys(), ...Object.values(image.pathVariables ?? {})]);
  for (const path of image.directories ?? []) {
    known.add(path);
    if (!hidden(path)) {
      await mkdir(root + path, { recursive: true });
    }
  }
  for (const [path, source] of Object.entries(image.files ?? {})) {
    known.add(path);
    if (!hidden(path)) {
      await place(source, root + path);
    }
  }
  for (const [path, volume] of mounts) {
    await mkdir(dirname(root + path), { recursive: true });
    await symlink(volume, root + path);
  }
  const mountinfoPath = join(directory, "mountinfo");
  await writeFile(mountinfoPath, formatMountinfo(root, mounts));
  return {
    directory: root,
    paths: new PathTable([
      ...[...known].map((path) => [path, root + path] as const),
      ...hostPaths.map((path) => [path, path] as const),
    ]),
    mountinfoPath,
  };
}

async function place(source: string | { readonly copy: string }, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await (typeof source === "string"
    ? symlink(source, target)
    : cp(source.copy, target, { recursive: true }));
}

/**
 * Formats lines of proc_pid_mountinfo(5): id, parent, device, root, mount point, options,
 * separator, type, source, options.
 */
function formatMountinfo(root: string, mounts: ReadonlyMap<string, string>): string {
  const rows = [["/", root] as const, ...mounts].map(([path, host], index) => {
    const id = index + 1;
    const parent = index === 0 ? 0 : 1;
    const mountPoint = escapeSpace(path === "/" ? root : root + path);
    return `${id} ${parent} 0:${id} / ${mountPoint} rw - bind ${escapeSpace(host)} rw`;
  });
  return `${rows.join("\n")}\n`;
}

function escapeSpace(path: string): string {
  return path.replaceAll(" ", String.raw`\040`);
}
