import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { GenericContainer, getContainerRuntimeClient, StartupCheckStrategy } from "testcontainers";
import type { StartedTestContainer, StartupStatus } from "testcontainers";
import type { BrokerServer, StartServerOptions } from "./broker-server.ts";
import { lastLines } from "./last-lines.ts";
import { serves } from "./serves.ts";
import { FILES_DIRECTORY } from "./software.ts";

/** For a machine that does other things too. */
const START_MS_MAX = 120_000;

/**
 * A broker in a container of this host's engine, on ports that the engine chooses. It is removed here, not by the reaper
 * of testcontainers, which may be off.
 */
export async function startContainer(options: StartServerOptions): Promise<BrokerServer> {
  const { software, plan, signal } = options;
  signal.throwIfAborted();
  const container = new BrokerContainer(software.image)
    .withEntrypoint(["/bin/sh", "-ec", `${software.prepare}\nexec "$@"`, "broker"])
    .withCommand([...software.argv])
    .withEnvironment({ ...software.environment })
    .withCopyContentToContainer(
      Object.entries(software.files(plan)).map(([name, content]) => {
        return { content, target: `${FILES_DIRECTORY}/${name}` };
      }),
    )
    .withExposedPorts(...[plan.admin, ...plan.stages].map(({ port }) => port))
    .withWaitStrategy(new AdminServes(plan.admin.port))
    .withStartupTimeout(START_MS_MAX);
  const log = container.keepLog();
  try {
    const started = await container.start();
    signal.throwIfAborted();
    return new ContainerServer(started, log);
  } catch (error) {
    await container.remove();
    if (signal.aborted) throw error;
    throw new Error(
      `the broker ${software.kind} was not started from the image ${software.image}: ` +
        `${error instanceof Error ? error.message : String(error)}${lastLines(log())}`,
      { cause: error },
    );
  }
}

/** Knows what it made, also when it could not be started. */
class BrokerContainer extends GenericContainer {
  #id: string | null = null;

  /** Gives what the container wrote until it is asked for. */
  keepLog(): () => string {
    const chunks: Buffer[] = [];
    this.withLogConsumer((stream: Readable) => {
      stream.on("data", (chunk: Buffer | string) => void chunks.push(Buffer.from(chunk)));
    });
    return () => Buffer.concat(chunks).toString("utf8");
  }

  protected override async containerCreated(id: string): Promise<void> {
    this.#id = id;
  }

  /** Ends and removes the container with its volumes, in whatever state it is. */
  async remove(): Promise<void> {
    if (this.#id === null) return;
    const { container } = await getContainerRuntimeClient();
    try {
      await container.getById(this.#id).remove({ force: true, v: true });
    } catch (error) {
      // testcontainers itself removes one that was not ready in time.
      if (!isNotFound(error)) throw error;
    }
  }
}

/** Ends early when the container does; testcontainers' own look at ports runs three commands in it for each. */
class AdminServes extends StartupCheckStrategy {
  readonly #port: number;

  constructor(port: number) {
    super();
    this.#port = port;
  }

  override async checkStartupState(_: unknown, id: string): Promise<StartupStatus> {
    const { container, info } = await getContainerRuntimeClient();
    const { State, NetworkSettings } = await container.getById(id).inspect();
    if (!State.Running) return "FAIL";
    const port = Number(NetworkSettings.Ports[`${this.#port}/tcp`]?.[0]?.HostPort);
    const { host } = info.containerRuntime;
    return (await serves(() => connect({ host, port }))) ? "SUCCESS" : "PENDING";
  }
}

class ContainerServer implements BrokerServer {
  readonly #started: StartedTestContainer;
  readonly #log: () => string;

  constructor(started: StartedTestContainer, log: () => string) {
    this.#started = started;
    this.#log = log;
  }

  dial(port: number): Socket {
    return connect({
      host: this.#started.getHost(),
      port: this.#started.getMappedPort(port),
      noDelay: true,
      allowHalfOpen: true,
    });
  }

  async log(): Promise<string> {
    return this.#log();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Without a grace: it holds nothing that is wanted afterwards.
    await this.#started.stop({ remove: true, removeVolumes: true, timeout: 0 });
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "statusCode" in error && error.statusCode === 404;
}
