import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { V1Node } from "@kubernetes/client-node";
import type { KindCluster } from "./cluster.ts";
import { runCommand } from "./command.ts";
import type { Engine } from "./engine.ts";
import { takeLock } from "./lock.ts";

const TAG_CHARACTERS = 12;

/**
 * The fields that make up a container of the image. Its labels, such as the commit, change nothing.
 */
const CONTENT_FORMAT = ["RootFS.Layers", "Config.Env", "Config.User", "Config.WorkingDir"]
  .concat(["Config.Entrypoint", "Config.Cmd"])
  .map((field) => `{{json .${field}}}`)
  .join(" ");

/**
 * Returns the image's name with a tag that is made of its content: a node that has an image of that
 * name has exactly this image, whatever was built or loaded under the other name before. The engine
 * finds the image by `id`. Throws CommandError when the engine has no such image.
 */
export async function contentName(
  engine: Engine,
  reference: string,
  id = reference,
): Promise<string> {
  const argv = ["image", "inspect", "--format", CONTENT_FORMAT, id];
  const content = await runCommand(engine, argv);
  const hash = createHash("sha256").update(content).digest("hex");
  // A port must not be taken for a tag.
  const repository = reference.replace(/(@[^/]*|:[^/]*)$/, "");
  return `${repository}:${hash.slice(0, TAG_CHARACTERS)}`;
}

/** Loads the image into the nodes as `name`. The engine has that name only meanwhile. */
export async function loadAs(
  name: string,
  reference: string,
  { cluster, nodes }: { readonly cluster: KindCluster; readonly nodes: readonly string[] },
): Promise<void> {
  // Another run with the same image uses the same name, and would remove it while this one still
  // needs it.
  const hash = createHash("sha256").update(name).digest("hex");
  await using _ = await takeLock(join(tmpdir(), `kafka-consumer-image-${hash}.lock`));
  await runCommand(cluster.engine, ["tag", reference, name]);
  try {
    await cluster.loadImage(name, nodes);
  } finally {
    if (name !== reference) await runCommand(cluster.engine, ["image", "rm", name]).catch(() => {});
  }
}

/** Returns the names of the nodes that do not report the image. */
export function nodesWithout(image: string, nodes: readonly V1Node[]): string[] {
  return nodes.filter((node) => !hasImage(node, image)).map(({ metadata }) => metadata?.name ?? "");
}

/** Returns the nodes on which any pod may run. */
export function workers(nodes: readonly V1Node[]): V1Node[] {
  return nodes.filter(({ spec }) =>
    (spec?.taints ?? []).every(({ effect }) => effect !== "NoSchedule"),
  );
}

function hasImage({ status }: V1Node, image: string): boolean {
  return status?.images?.some(({ names }) => names?.includes(image) ?? false) ?? false;
}
