import { once } from "node:events";
import { Agent, get } from "node:https";
import type { RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import type { KubeConfig } from "@kubernetes/client-node";

export interface PodAnswer {
  readonly status: number;
  readonly bytes: Buffer;
}

/** Sends a GET request to the API server and returns the response as soon as it begins. `path` includes the query. */
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

/**
 * Returns an agent that keeps connections alive. The agent of the client opens a connection for each request, and the
 * TLS handshake costs more than the answer. Idle connections do not delay the end of the process.
 */
function keepingAlive(agent: RequestOptions["agent"]): RequestOptions["agent"] {
  // The agent of an HTTP proxy is not replaced.
  if (!(agent instanceof Agent)) return agent;
  const kept = keeping.get(agent) ?? new Agent({ ...agent.options, keepAlive: true });
  keeping.set(agent, kept);
  return kept;
}

/**
 * Sends a GET request to a port of a pod through the API server, so that pods need not be reachable from here. Throws
 * an Error while nothing listens on the port, in which case the API server answers itself.
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

/** Returns true when the answer is a Status object of the API server. The pods of the application never send one. */
function isOfServer(bytes: Buffer): boolean {
  return /"kind":\s*"Status"/.test(bytes.toString("utf8"));
}
