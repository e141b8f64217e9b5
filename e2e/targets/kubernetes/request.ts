import { once } from "node:events";
import { Agent, get } from "node:https";
import type { RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import type { KubeConfig } from "@kubernetes/client-node";

export interface PodAnswer {
  readonly status: number;
  readonly bytes: Buffer;
}

/** GET from the API server; gives the response as soon as it begins. `path` has its query. */
export async function getFromServer(
  config: KubeConfig,
  path: string,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const options: RequestOptions = signal === undefined ? {} : { signal };
  await config.applyToHTTPSOptions(options);
  options.agent = keepingAlive(options.agent);
  const request = get(new URL(path, config.getCurrentCluster()?.server), options);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once("response", resolve);
  request.on("error", reject);
  return await promise;
}

const keeping = new WeakMap<object, Agent>();

/** The agent of the client opens a connection for each request, and a handshake costs more than an answer. Idle connections hold up no end. */
function keepingAlive(agent: RequestOptions["agent"]): RequestOptions["agent"] {
  // That of a proxy is left as it is.
  if (!(agent instanceof Agent)) return agent;
  const kept = keeping.get(agent) ?? new Agent({ ...agent.options, keepAlive: true });
  keeping.set(agent, kept);
  return kept;
}

/**
 * GET to a port of a pod, through the API server: no pod need be reachable from here. Throws Error while nothing listens there,
 * which the API server answers for the pod.
 */
export async function getFromPod(
  config: KubeConfig,
  pod: { readonly namespace: string; readonly name: string; readonly port: number },
  path: string,
): Promise<PodAnswer> {
  const proxied = `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}:${pod.port}/proxy${path}`;
  const response = await getFromServer(config, proxied);
  const bytes = await bytesOf(response);
  const status = response.statusCode ?? 0;
  if (status >= 400 && isOfServer(bytes)) {
    throw new Error(`GET ${proxied}: ${status} ${bytes.toString("utf8").trim()}`);
  }
  return { status, bytes };
}

async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(response, "end");
  return Buffer.concat(chunks);
}

/** The API server answers with an object of its own kind, and no pod of ours does. */
function isOfServer(bytes: Buffer): boolean {
  return /"kind":\s*"Status"/.test(bytes.toString("utf8"));
}
