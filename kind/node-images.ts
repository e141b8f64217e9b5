import type { V1Node } from "@kubernetes/client-node";
import type { KindCluster } from "./cluster.ts";
import { runCommand } from "./command.ts";
import type { Engine } from "./engine.ts";
import { inspectImage } from "./images.ts";

const ID_CHARACTERS = 12;

/**
 * The image's name with a tag made of its content: a node that has one of that name has that very image, whatever was built or loaded under
 * the other name before. Throws CommandError when the engine has no such image.
 */
export async function contentName(engine: Engine, reference: string): Promise<string> {
  const { id } = await inspectImage(engine, reference);
  // A port is no tag.
  const repository = reference.replace(/(@[^/]*|:[^/]*)$/, "");
  return `${repository}:${id.replace("sha256:", "").slice(0, ID_CHARACTERS)}`;
}

/** Loads the image into the nodes as `name`; the engine knows that name only meanwhile. */
export async function loadAs(
  name: string,
  reference: string,
  { cluster, nodes }: { readonly cluster: KindCluster; readonly nodes: readonly string[] },
): Promise<void> {
  await runCommand(cluster.engine, ["tag", reference, name]);
  try {
    await cluster.loadImage(name, nodes);
  } finally {
    if (name !== reference) await runCommand(cluster.engine, ["image", "rm", name]);
  }
}

/** Names of the nodes on which pods may run and which do not say that they have the image. */
export function nodesWithout(image: string, nodes: readonly V1Node[]): string[] {
  return nodes
    .filter((node) => takesPods(node) && !hasImage(node, image))
    .map(({ metadata }) => metadata?.name ?? "");
}

function takesPods({ spec }: V1Node): boolean {
  return (spec?.taints ?? []).every(({ effect }) => effect !== "NoSchedule");
}

function hasImage({ status }: V1Node, image: string): boolean {
  return status?.images?.some(({ names }) => names?.includes(image) ?? false) ?? false;
}
