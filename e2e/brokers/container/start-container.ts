import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { GenericContainer, getContainerRuntimeClient, StartupCheckStrategy } from "testcontainers";
import type { StartedTestContainer, StartupStatus } from "testcontainers";
import { messageOf } from "#consumer/errors.ts";
import type { StartedBroker, StartedBrokerOptions } from "./started-broker.ts";
import { lastLines } from "./last-lines.ts";
import { tlsListenerAnswers } from "./tls-listener-answers.ts";
import { FILES_DIRECTORY } from "./software.ts";

/**
 * The label with the id of the process that made the container. It identifies the containers of a process that was
 * killed.
 */
export const OWNER_LABEL = "kafka-consumer-kit.owner";

/** The longest start, in milliseconds, on a machine that does other work too. */
const START_MS_MAX = 120_000;

/**
 * Starts a broker in a container of this host's engine, on ports that the engine chooses. The container is removed here
 * and not by the reaper of testcontainers, which may be turned off.
 */
export async function startContainer(options: StartedBrokerOptions): Promise<StartedBroker> {
  const { software, plan, signal } = options;
  signal.throwIfAborted();
  const container = new BrokerContainer(software.image)
    .withEntrypoint(["/bin/sh", "-ec", `${software.prepare}\nexec "$@"`, "broker"])
    .withCommand([...software.argv])
    .withEnvironment({ ...software.environment })
    .withLabels({ [OWNER_LABEL]: String(process.pid) })
    .withCopyContentToContainer(
      Object.entries(software.files(plan)).map(([name, content]) => {
        return { content, target: `${FILES_DIRECTORY}/${name}` };
      }),
    )
    .withExposedPorts(...[plan.admin, ...plan.podListeners].map(({ port }) => port))
    .withWaitStrategy(new AdminServes(plan.admin.port))
    .withStartupTimeout(START_MS_MAX);
  const log = container.keepLog();
  try {
    const started = await container.start();
    signal.throwIfAborted();
    return new ContainerServer(started, log);
  } catch (error) {
    const said = await container.remove();
    if (signal.aborted) throw error;
    throw new Error(
      `the broker ${software.kind} was not started from the image ${software.image}: ` +
        `${messageOf(error)}${lastLines(said)}`,
      { cause: error },
    );
  }
}

/** A container that knows its id even when it could not be started. */
class BrokerContainer extends GenericContainer {
  #id: string | null = null;

  /** Returns a function that returns everything the container has written so far. */
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

  /** Kills and removes the container with its volumes, whatever its state is, and returns its log. */
  async remove(): Promise<string> {
    if (this.#id === null) return "";
    const { container: client } = await getContainerRuntimeClient();
    const container = client.getById(this.#id);
    // A container that does not run cannot be killed. Its log is complete in either case.
    await container.kill().catch(() => {});
    try {
      return await text(await client.logs(container));
    } catch (error) {
      // testcontainers itself removes a container that was not ready in time.
      if (isNotFound(error)) return "";
      throw error;
    } finally {
      await container.remove({ force: true, v: true }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }
}

/**
 * Ends the start early when the container ends. The port check of testcontainers would run three commands in the
 * container for each port.
 */
class AdminServes extends StartupCheckStrategy {
  readonly #port: number;

  constructor(port: number) {
    super();
    this.#port = port;
  }

  override async checkStartupState(_: unknown, id: string): Promise<StartupStatus> {
    const { container, info } = await getContainerRuntimeClient();
    const made = container.getById(id);
    const { State, NetworkSettings } = await made.inspect();
    if (!State.Running) {
      const said = lastLines(await text(await container.logs(made)));
      throw new Error(`it ended with exit code ${State.ExitCode}${said}`);
    }
    const port = Number(NetworkSettings.Ports[`${this.#port}/tcp`]?.[0]?.HostPort);
    const { host } = info.containerRuntime;
    return (await tlsListenerAnswers(() => connect({ host, port }))) ? "SUCCESS" : "PENDING";
  }
}

class ContainerServer implements StartedBroker {
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
    // The broker needs no grace period, since nothing that it holds is wanted afterwards.
    await this.#started.stop({ remove: true, removeVolumes: true, timeout: 0 });
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "statusCode" in error && error.statusCode === 404;
}
