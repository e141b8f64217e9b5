import { readFile } from "node:fs/promises";
import type { Command } from "#simulator/process/command.ts";
import { UsageError, integerOption, textOption } from "#simulator/process/command.ts";
import { startControlServer } from "./control-server.ts";
import { startActionEndpoint } from "./action-endpoint.ts";
import type { ActionEndpointOptions } from "./action-endpoint.ts";

/** The command that runs the action endpoint as a process. */
export const command: Command = {
  name: "action-endpoint",
  summary: "action endpoint with a ledger of what was applied",
  options: {
    host: { type: "string" },
    port: { type: "string" },
    /** The port of the control server (control-server.ts), which speaks HTTP. */
    "control-port": { type: "string" },
    /** PEM files. With them the endpoint serves HTTPS. */
    cert: { type: "string" },
    key: { type: "string" },
    /** PEM file of an authority whose client certificates are asked for. */
    ca: { type: "string" },
    idempotent: { type: "boolean" },
  },
  async start(values) {
    const host = textOption(values, "host", "127.0.0.1");
    const controlPort = integerOption(values, "control-port", 0);
    await using starting = new AsyncDisposableStack();
    const endpoint = starting.use(
      await startActionEndpoint({
        host,
        port: integerOption(values, "port", 0),
        idempotent: values.idempotent === true,
        ...(await tlsOptions(values.cert, values.key, values.ca)),
      }),
    );
    const controlServer = starting.use(
      await startControlServer(endpoint.control, { host, port: controlPort }),
    );
    const stack = starting.move();
    return {
      listening: { url: endpoint.url, control: controlServer.url },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  },
};

async function tlsOptions(
  cert: unknown,
  key: unknown,
  ca: unknown,
): Promise<Pick<ActionEndpointOptions, "tls">> {
  if (cert === undefined && key === undefined) return {};
  if (typeof cert !== "string" || typeof key !== "string") {
    throw new UsageError("--cert and --key go together");
  }
  return {
    tls: {
      certificatePem: await readFile(cert, "utf8"),
      privateKeyPem: await readFile(key, "utf8"),
      ...(typeof ca === "string" ? { clientAuthorityPem: await readFile(ca, "utf8") } : {}),
    },
  };
}
