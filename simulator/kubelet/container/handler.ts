import { request } from "node:http";
import { connect } from "node:net";
import type { ClusterClock } from "#simulator/kubelet/cluster/clock.ts";
import type { CommandOutput } from "#simulator/kubelet/process/container-process.ts";
import { resolvePort } from "#simulator/kubelet/pod/pod-ports.ts";
import type { PodPorts } from "#simulator/kubelet/pod/pod-ports.ts";
import type {
  ContainerSpec,
  HookSpec,
  ProbeSpec,
} from "#simulator/kubelet/validation/supported-pod.ts";

export interface HandlerTarget {
  readonly spec: ContainerSpec;
  readonly ports: PodPorts;
  readonly clock: ClusterClock;
  readonly execute: (argv: readonly string[], signal: AbortSignal) => Promise<CommandOutput>;
}

export interface HandlerResult {
  readonly passed: boolean;
  /** The message in the kubelet's words. */
  readonly message: string;
}

type Handler = Partial<Pick<HookSpec, "exec" | "httpGet" | "sleep"> & Pick<ProbeSpec, "tcpSocket">>;

/** Runs one probe or hook. When `signal` aborts, it is cut off and counts as failed. */
export async function runHandler(
  handler: Handler,
  target: HandlerTarget,
  signal: AbortSignal,
): Promise<HandlerResult> {
  if (handler.exec !== undefined) {
    const { exitCode, stdout, stderr } = await target.execute(handler.exec.command, signal);
    return {
      passed: exitCode === 0,
      message: `${stdout}${stderr}`.trim() || `exit code ${exitCode}`,
    };
  }
  if (handler.httpGet !== undefined) {
    return getOnce(handler.httpGet, hostPort(target, handler.httpGet.port), signal);
  }
  if (handler.tcpSocket !== undefined) {
    return connectOnce(hostPort(target, handler.tcpSocket.port), signal);
  }
  const slept = await target.clock.sleep((handler.sleep?.seconds ?? 0) * 1000, signal);
  return { passed: slept, message: slept ? "" : "sleep was cut off" };
}

function hostPort({ spec, ports }: HandlerTarget, reference: number | string): number {
  const port = resolvePort(spec, reference);
  return ports.hostPort(port) ?? port;
}

async function getOnce(
  action: NonNullable<Handler["httpGet"]>,
  port: number,
  signal: AbortSignal,
): Promise<HandlerResult> {
  const headers = Object.fromEntries(
    (action.httpHeaders ?? []).map(({ name, value }) => [name, value]),
  );
  const { promise, resolve } = Promise.withResolvers<HandlerResult>();
  const path = action.path.startsWith("/") ? action.path : `/${action.path}`;
  const outgoing = request(
    {
      host: "127.0.0.1",
      port,
      path,
      agent: false,
      signal,
      headers: { "user-agent": "kube-probe/1.34", accept: "*/*", connection: "close", ...headers },
    },
    (response) => {
      const status = response.statusCode ?? 0;
      response.resume();
      response.once("error", () => undefined);
      resolve({
        passed: status >= 200 && status < 400,
        message: `HTTP probe failed with statuscode: ${status}`,
      });
    },
  );
  outgoing.once("error", (error) => {
    const reason = signal.aborted
      ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
      : error.message;
    resolve({ passed: false, message: `Get "http://127.0.0.1:${port}${path}": ${reason}` });
  });
  outgoing.end();
  return promise;
}

async function connectOnce(port: number, signal: AbortSignal): Promise<HandlerResult> {
  const { promise, resolve } = Promise.withResolvers<HandlerResult>();
  const socket = connect({ host: "127.0.0.1", port, signal });
  socket.once("connect", () => {
    resolve({ passed: true, message: "" });
  });
  socket.once("error", (error) => {
    resolve({ passed: false, message: `dial tcp 127.0.0.1:${port}: ${error.message}` });
  });
  const result = await promise;
  socket.destroy();
  return result;
}
