import { CoreV1Api } from "@kubernetes/client-node";
import type { KubeConfig, V1Pod } from "@kubernetes/client-node";
import { z } from "zod";
import { isReady } from "#e2e/targets/pods.ts";
import { until } from "#e2e/base/waiting.ts";
import { KIT_POD } from "#e2e/targets/control-plane.ts";
import { getFromPod } from "./request.ts";
import { KIT_LABEL } from "./watch.ts";

const PORT = 8090;
const MOUNT = "/volume";
const READY_MS_MAX = 180_000;
const names = z.array(z.string());
const tree = z.record(z.string(), z.base64());

/**
 * Reads the volume of a claim through a pod of the kit that mounts it read-only. So no path on a node has to be known.
 */
export class VolumeReader {
  readonly #config: KubeConfig;
  readonly #namespace: string;
  readonly #pod: string;
  readonly #ready: Promise<void>;

  private constructor(config: KubeConfig, namespace: string, pod: string) {
    this.#config = config;
    this.#namespace = namespace;
    this.#pod = pod;
    this.#ready = this.#waitUntilReady();
    // The first read reports the error.
    this.#ready.catch(() => {});
  }

  /**
   * Starts the pod with the given image of the simulators. Resolves when the pod is accepted; reads wait until it is
   * ready.
   */
  static async start(
    config: KubeConfig,
    options: { readonly namespace: string; readonly claim: string; readonly image: string },
  ): Promise<VolumeReader> {
    const pod = readerPod(options);
    const { namespace } = options;
    await config.makeApiClient(CoreV1Api).createNamespacedPod({ namespace, body: pod });
    return new VolumeReader(config, namespace, pod.metadata?.name ?? "");
  }

  /** Returns the content of a file, or undefined when it does not exist. */
  async read(path: string): Promise<Uint8Array | undefined> {
    return await this.#get("file", path);
  }

  /** Returns the sorted names in a directory, or an empty list when it does not exist. */
  async list(path: string): Promise<string[]> {
    const bytes = await this.#get("list", path);
    return bytes === undefined ? [] : names.parse(JSON.parse(bytes.toString("utf8")));
  }

  /**
   * Returns every file below a directory by its path relative to that directory. Empty when the directory does not
   * exist.
   */
  async readTree(path: string): Promise<ReadonlyMap<string, Buffer>> {
    const bytes = await this.#get("tree", path);
    const files = tree.parse(JSON.parse(bytes?.toString("utf8") ?? "{}"));
    return new Map(
      Object.entries(files).map(([name, content]) => [name, Buffer.from(content, "base64")]),
    );
  }

  async #get(what: "file" | "list" | "tree", path: string): Promise<Buffer | undefined> {
    await this.#ready;
    const pod = { namespace: this.#namespace, name: this.#pod, port: PORT };
    const { status, bytes } = await getFromPod(
      this.#config,
      pod,
      `/${what}?path=${encodeURIComponent(path)}`,
    );
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`${what} ${path}: ${status} ${bytes.toString("utf8")}`);
    return bytes;
  }

  async #waitUntilReady(): Promise<void> {
    const core = this.#config.makeApiClient(CoreV1Api);
    const pod = { name: this.#pod, namespace: this.#namespace };
    await until(
      `the pod ${this.#pod} that reads the volume is ready`,
      async () => isReady(await core.readNamespacedPod(pod)),
      { deadlineMs: READY_MS_MAX, intervalMs: 200 },
    );
  }
}

function readerPod({ claim, image }: { claim: string; image: string }): V1Pod {
  return {
    metadata: { name: `volume-${claim}`, labels: { [KIT_LABEL]: "volume" } },
    spec: {
      ...KIT_POD,
      containers: [
        {
          name: "volume",
          image,
          args: ["volume", "--directory", MOUNT, "--host", "0.0.0.0", "--port", String(PORT)],
          resources: { requests: { cpu: "10m", memory: "64Mi" } },
          readinessProbe: {
            httpGet: { path: "/list?path=", port: PORT },
            periodSeconds: 1,
            timeoutSeconds: 3,
          },
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
          volumeMounts: [{ name: "claim", mountPath: MOUNT, readOnly: true }],
        },
      ],
      volumes: [{ name: "claim", persistentVolumeClaim: { claimName: claim } }],
    },
  };
}
