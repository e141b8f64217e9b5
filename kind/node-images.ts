import { createHash } from "node:crypto";
import type { V1Node } from "@kubernetes/client-node";
import type { KindCluster } from "./cluster.ts";
import { runCommand } from "./command.ts";
import type { Engine } from "./engine.ts";

const TAG_CHARACTERS = 12;

/** What a container of the image is made of; its labels, such as the commit, change nothing. */
const CONTENT_FORMAT = ["RootFS.Layers", "Config.Env", "Config.User", "Config.WorkingDir"]
  .concat(["Config.Entrypoint", "Config.Cmd"])
  .map((field) => `{{json .${field}}}`)
  .join(" ");

/**
 * The image's name with a tag made of its content: a node that has one of that name has that very image, whatever was built or loaded under
 * the other name before. Throws CommandError when the engine has no such image.
 */
export async function contentName(engine: Engine, reference: string): Promise<string> {
  const argv = ["image", "inspect", "--format", CONTENT_FORMAT, reference];
  const content = await runCommand(engine, argv);
  const hash = createHash("sha256").update(content).digest("hex");
  // A port is no tag.
  const repository = reference.replace(/(@[^/]*|:[^/]*)$/, "");
  return `${repository}:${hash.slice(0, TAG_CHARACTERS)}`;
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
    // Another run of the same image may have had the same name, and taken it back.
    if (name !== reference) await runCommand(cluster.engine, ["image", "rm", name]).catch(() => {});
  }
}

/** Names of the nodes that do not say that they have the image. */
export function nodesWithout(image: string, nodes: readonly V1Node[]): string[] {
  return nodes.filter((node) => !hasImage(node, image)).map(({ metadata }) => metadata?.name ?? "");
}

/** Those on which any pod may run. */
export function workers(nodes: readonly V1Node[]): V1Node[] {
  return nodes.filter(({ spec }) =>
    (spec?.taints ?? []).every(({ effect }) => effect !== "NoSchedule"),
  );
}

function hasImage({ status }: V1Node, image: string): boolean {
  return status?.images?.some(({ names }) => names?.includes(image) ?? false) ?? false;
}
