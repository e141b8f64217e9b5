import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeConfigMap } from "./config-map-volume.ts";
import type { NodeContext } from "#simulator/kubelet/pod/pod-context.ts";
import type { VolumeSpec } from "#simulator/kubelet/validation/supported-pod.ts";

export interface PodVolumesOptions {
  readonly node: NodeContext;
  readonly volumes: readonly VolumeSpec[];
  /** The directory in which the pod's own volumes are made. */
  readonly directory: string;
  readonly terminating: AbortSignal;
  readonly onMissing: (reason: "FailedScheduling" | "FailedMount", message: string) => void;
}

/** The volumes of one pod as host directories. */
export class PodVolumes {
  readonly #options: PodVolumesOptions;
  readonly #paths = new Map<string, string>();

  constructor(options: PodVolumesOptions) {
    this.#options = options;
  }

  /**
   * Waits for claims and ConfigMaps that do not exist yet. Returns false when the pod ended
   * meanwhile.
   */
  async prepare(): Promise<boolean> {
    for (const volume of this.#options.volumes) {
      const path = await this.#prepareOne(volume);
      if (path === undefined) {
        return false;
      }
      this.#paths.set(volume.name, path);
    }
    return true;
  }

  path(volume: string): string {
    return this.#paths.get(volume) ?? "";
  }

  /**
   * Writes the ConfigMap's present content into each volume made from it. Returns true when there
   * was one.
   */
  async update(configMap: string): Promise<boolean> {
    let found = false;
    for (const { name, configMap: source } of this.#options.volumes) {
      const path = this.#paths.get(name);
      if (source?.name === configMap && path !== undefined) {
        await writeConfigMap(path, source, this.#options.node.configMap(configMap));
        found = true;
      }
    }
    return found;
  }

  async #prepareOne(volume: VolumeSpec): Promise<string | undefined> {
    const { node, directory } = this.#options;
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined) {
      return this.#waitFor(
        () => node.claimPath(claim),
        [
          "FailedScheduling",
          `0/1 nodes are available: persistentvolumeclaim "${claim}" not found.`,
        ],
      );
    }
    const path = join(directory, volume.name);
    await mkdir(path, { recursive: true });
    const source = volume.configMap;
    if (source === undefined) {
      return path;
    }
    const content = await this.#waitFor(
      () => node.configMap(source.name) ?? (source.optional ? ("absent" as const) : undefined),
      [
        "FailedMount",
        `MountVolume.SetUp failed for volume "${volume.name}" : configmap "${source.name}" not found`,
      ],
    );
    if (content === undefined) {
      return undefined;
    }
    await writeConfigMap(path, source, content === "absent" ? undefined : content);
    return path;
  }

  async #waitFor<T>(
    find: () => T | undefined,
    missing: Parameters<PodVolumesOptions["onMissing"]>,
  ): Promise<T | undefined> {
    const { node, terminating, onMissing } = this.#options;
    const present = find();
    if (present !== undefined || terminating.aborted) {
      return present;
    }
    onMissing(...missing);
    const { promise, resolve } = Promise.withResolvers<T | undefined>();
    const look = (): void => {
      const found = find();
      if (found !== undefined || terminating.aborted) {
        resolve(found);
      }
    };
    const unsubscribe = node.log.onChange(look);
    terminating.addEventListener("abort", look, { once: true });
    const found = await promise;
    unsubscribe();
    return found;
  }
}
