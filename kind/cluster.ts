import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { CommandError, runCommand } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import type { Engine } from "./engine.ts";

export interface KindOptions extends Pick<CommandOptions, "signal" | "onLine"> {
  /** Of the cluster. */
  readonly name: string;
  readonly engine: Engine;
  /** Where kind writes the access to the cluster; the kubeconfig of the user is left alone. */
  readonly kubeconfigFile: string;
}

export interface CreateOptions {
  /** kind's own default when none is given. */
  readonly nodeImage?: string | undefined;
  /** Of the host; every node has it at SHARED_PATH. */
  readonly sharedDirectory: string;
}

/** Where every node has the directory of the host that all share. */
export const SHARED_PATH = "/var/kafka-consumer-kit";

const CONTROL_PLANE_READY = "300s";

/** The kind command, for one cluster. Every failure is a CommandError. */
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

  /** Names of all clusters of this engine. */
  async all(): Promise<string[]> {
    return linesOf(await this.#kind(["get", "clusters"], { signal: undefined }));
  }

  /** Resolves when its control plane is ready. What a failure leaves is for `delete`. */
  async create({ nodeImage, sharedDirectory }: CreateOptions): Promise<void> {
    const argv = [
      ...`create cluster --config - --retain --wait ${CONTROL_PLANE_READY}`.split(" "),
      ...this.#named,
      ...this.#kubeconfigFile,
      ...(nodeImage === undefined ? [] : ["--image", nodeImage]),
    ];
    await this.#kind(argv, { input: await clusterConfiguration(sharedDirectory) });
  }

  /** Also one that is there in part, or not at all. */
  async delete(): Promise<void> {
    // Whatever interrupts the rest, what was made is taken down.
    const argv = ["delete", "cluster", ...this.#named, ...this.#kubeconfigFile];
    await this.#kind(argv, { signal: undefined });
  }

  /** Brings an image of the engine to these nodes. */
  async loadImage(reference: string, nodes: readonly string[]): Promise<void> {
    const to = [...this.#named, "--nodes", nodes.join(",")];
    if (this.engine === "docker") {
      await this.#kind(["load", "docker-image", reference, ...to]);
      return;
    }
    // `load docker-image` asks docker, whatever the provider is.
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

  /** Writes the logs of every node and container below the directory. kind goes on without those that it cannot get: gives why, if there are any. */
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

  /** With the key of an administrator: a secret. */
  async kubeconfig(): Promise<string> {
    return await this.#kind(["get", "kubeconfig", ...this.#named], { secretOutput: true });
  }

  /** Names of the nodes, which are containers of the engine. */
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

/** cluster.yaml with the directory of this host. */
async function clusterConfiguration(sharedDirectory: string): Promise<string> {
  const text = await readFile(new URL("cluster.yaml", import.meta.url), "utf8");
  return stringify(
    parse(text, (key, value: unknown) => (key === "hostPath" ? sharedDirectory : value)),
    { aliasDuplicateObjects: false },
  );
}
