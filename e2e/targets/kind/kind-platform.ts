import { randomBytes } from "node:crypto";
import { bringUp } from "#kind/bring-up.ts";
import { runCommand } from "#kind/command.ts";
import { findEngine } from "#kind/engine.ts";
import type { Engine } from "#kind/engine.ts";
import { buildImage } from "#kind/images.ts";
import type { ImageKind } from "#kind/images.ts";
import { runSteps } from "#kind/steps.ts";
import type { Step, StepsOptions } from "#kind/steps.ts";
import type { KindArguments } from "#e2e/base/run-arguments.ts";
import { startKindNodes } from "./kind-nodes.ts";
import { startKubernetesPlatform } from "#e2e/targets/kubernetes/kubernetes-platform.ts";
import type { Platform } from "#e2e/targets/platform.ts";

export interface KindPlatformOptions extends StepsOptions, KindArguments {
  readonly realTime: boolean;
  /**
   * The image of the broker that will run in the cluster. The engine has the image or can pull it. Null when no broker
   * runs there.
   */
  readonly brokerImage: string | null;
  readonly signal: AbortSignal;
  /** Called at the end of the run. Returns true when the cluster is kept, if the run has made one. */
  readonly keepAtEnd: () => boolean;
}

/**
 * Starts the target kind on this host's engine, in the cluster with the given name or in a new cluster of the run's
 * own.
 */
export async function startKindPlatform(options: KindPlatformOptions): Promise<Platform> {
  const { keepAtEnd, signal, nodeImage } = options;
  const engine = options.engine ?? (await findEngine({ signal }));
  const built = await buildImages(engine, options);
  if (options.brokerImage !== null) await havePulled(engine, options.brokerImage, options);
  const { config, cluster, images, leave } = await bringUp({
    ...options,
    engine,
    name: options.cluster ?? `kafka-consumer-kit-${randomBytes(4).toString("hex")}`,
    nodeImage: nodeImage ?? undefined,
    images: [
      { ...built.consumer, nodes: "workers" },
      // The relay runs on the control plane.
      { ...built.simulators, nodes: "all" },
      ...(options.brokerImage === null
        ? []
        : [{ reference: options.brokerImage, nodes: "all" as const }]),
    ],
  });
  await using starting = new AsyncDisposableStack();
  starting.defer(async () => {
    const keep = keepAtEnd();
    const title = `leave the cluster ${cluster.name}`;
    if (!keep) {
      const text =
        "it is deleted, with everything in it, if a run has made it and no other run uses it";
      options.onStep({ title, state: "waiting", text });
    }
    const users = await leave({ keep });
    const by = users.length > 0 ? `process ${users.join(", ")} uses it` : "kept";
    const text =
      `${by}; use it again with --cluster ${cluster.name}, ` +
      "or delete it with npm run e2e -- clean once it is unused";
    if (keep || users.length > 0) {
      options.onStep({ title, state: "done", text });
    }
  });
  const [consumerImage = "", simulatorsImage = "", brokerImage] = images;
  const platform = await startKubernetesPlatform({
    ...options,
    config,
    consumerImage,
    simulatorsImage,
    brokerImage,
    nodes: starting.use(await startKindNodes(cluster)),
  });
  starting.use(platform);
  const stack = starting.move();
  return {
    ...platform,
    saveNodeLogs: (directory) => cluster.exportLogs(directory),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Pulls an image unless the engine has it. */
async function havePulled(engine: Engine, image: string, options: StepsOptions): Promise<void> {
  const { signal } = options;
  const run = async (): Promise<string> => {
    const known = await runCommand(engine, ["images", "--quiet", image], { signal });
    if (known.trim() !== "") return "it is there already";
    await runCommand(engine, ["pull", image], { signal });
    return "pulled";
  };
  await runSteps([{ title: `have the image ${image}`, run }], options);
}

interface Image {
  readonly reference: string;
  readonly id?: string;
}

interface Images {
  readonly consumer: Image;
  readonly simulators: Image;
}

/**
 * Builds the images of the consumer and the simulators. Layers that did not change come from the cache of the engine.
 */
async function buildImages(engine: Engine, options: KindPlatformOptions): Promise<Images> {
  const images: Record<ImageKind, Image> = {
    consumer: { reference: options.image ?? "" },
    simulators: { reference: "" },
  };
  const kinds: ImageKind[] = options.image === null ? ["consumer", "simulators"] : ["simulators"];
  const steps = kinds.map((kind): Step => ({
    title: `build the image of the ${kind}`,
    run: async () => {
      const { signal } = options;
      const baseImage = options.baseImage ?? undefined;
      const { name, id, bytes } = await buildImage(kind, { engine, baseImage, signal });
      images[kind] = { reference: name, id };
      return `${name}, ${Math.round(bytes / 1e6)} MB`;
    },
  }));
  await runSteps(steps, options);
  return images;
}
