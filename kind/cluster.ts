import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { CommandError, runCommand } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import type { Engine } from "./engine.ts";

export interface KindOptions extends Pick<CommandOptions, "signal" | "onLine"> {
  /** The name of the cluster. */
  readonly name: string;
  readonly engine: Engine;
  /**
   * The file to which kind writes the access to the cluster. The user's own kubeconfig is left
   * alone.
   */
  readonly kubeconfigFile: string;
}

export interface CreateOptions {
  /** The node image. Defaults to kind's own. */
  readonly nodeImage?: string | undefined;
  /** A directory of the host, which every node has at SHARED_PATH. */
  readonly sharedDirectory: string;
}

/** The path on every node of the host directory that all nodes share. */
export const SHARED_PATH = "/var/kafka-consumer-kit";

const CONTROL_PLANE_READY = "300s";

/** The kind command for one cluster. Every failure is a CommandError. */
export class KindCluster {
  readonly name: string;
  readonly engine: Engine;
  readonly #options: KindOptions;

  constructor(options: KindOptions) {
    this.name = options.name;
    this.engine = options.engine;
    this.#options = options;
  }

  async exists(): Promise<boolean> {
    return (await this.all()).includes(this.name);
  }

  /** Returns the names of all clusters of this engine. */
  async all(): Promise<string[]> {
    return linesOf(await this.#kind(["get", "clusters"], { signal: undefined }));
  }

  /**
   * Makes the cluster and resolves when its control plane is ready. After a failure, `delete`
   * removes what is left.
   */
  async create({ nodeImage, sharedDirectory }: CreateOptions): Promise<void> {
    const argv = [
      ...`create cluster --config - --retain --wait ${CONTROL_PLANE_READY}`.split(" "),
      ...this.#named,
      ...this.#kubeconfigFile,
      ...(nodeImage === undefined ? [] : ["--image", nodeImage]),
    ];
    await this.#kind(argv, { input: await clusterConfiguration(sharedDirectory) });
  }

  /** Deletes the cluster, also when only part of it exists, or nothing. */
  async delete(): Promise<void> {
    // The cluster is taken down whatever interrupts the rest.
    const argv = ["delete", "cluster", ...this.#named, ...this.#kubeconfigFile];
    await this.#kind(argv, { signal: undefined });
  }

  /** Loads an image of the engine into these nodes. */
  async loadImage(reference: string, nodes: readonly string[]): Promise<void> {
    const to = [...this.#named, "--nodes", nodes.join(",")];
    if (this.engine === "docker") {
      await this.#kind(["load", "docker-image", reference, ...to]);
      return;
    }
    // `load docker-image` asks docker, whichever provider is used.
    const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-image-"));
    try {
      const archive = join(directory, "image.tar");
      const { signal } = this.#options;
      await runCommand(this.engine, ["save", "--output", archive, reference], { signal });
      await this.#kind(["load", "image-archive", archive, ...to]);
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  /**
   * Writes the logs of every node and container below the directory. kind goes on without the logs
   * that it cannot get: the result says why, if there are any.
   */
  async exportLogs(directory: string): Promise<string | undefined> {
    try {
      await this.#kind(["export", "logs", directory, ...this.#named], { signal: undefined });
      return undefined;
    } catch (error) {
      const written = await readdir(directory).catch(() => []);
      if (!(error instanceof CommandError) || written.length === 0) throw error;
      return error.message;
    }
  }

  /** Returns the kubeconfig, a secret: it holds the key of an administrator. */
  async kubeconfig(): Promise<string> {
    return await this.#kind(["get", "kubeconfig", ...this.#named], { secretOutput: true });
  }

  /** Returns the names of the nodes, which are containers of the engine. */
  async nodes(): Promise<string[]> {
    return linesOf(await this.#kind(["get", "nodes", ...this.#named], { signal: undefined }));
  }

  get #named(): string[] {
    return ["--name", this.name];
  }

  get #kubeconfigFile(): string[] {
    return ["--kubeconfig", this.#options.kubeconfigFile];
  }

  async #kind(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { signal, onLine } = this.#options;
    return await runCommand("kind", argv, {
      signal,
      ...(onLine && { onLine }),
      environment: { KIND_EXPERIMENTAL_PROVIDER: this.engine },
      ...options,
    });
  }
}

function linesOf(printed: string): string[] {
  return printed.split("\n").filter((line) => line !== "");
}

/** Returns cluster.yaml with the directory of this host filled in. */
async function clusterConfiguration(sharedDirectory: string): Promise<string> {
  const text = await readFile(new URL("cluster.yaml", import.meta.url), "utf8");
  return stringify(
    parse(text, (key, value: unknown) => (key === "hostPath" ? sharedDirectory : value)),
    { aliasDuplicateObjects: false },
  );
}
