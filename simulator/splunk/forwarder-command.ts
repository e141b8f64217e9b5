import { hostname } from "node:os";
import type { Command } from "#simulator/process/command.ts";
import { requiredVariable, secondsVariable } from "#simulator/process/command.ts";
import { startForwarder } from "./forwarder.ts";

/**
 * The command that runs the log sidecar as a process. Its environment alone configures it:
 * SPLUNK_INSTANCE (host:port or URL; SPLUNK_ENDPOINT is the same), SPLUNK_CLIENT_NAME,
 * SPLUNK_LOG_DIRS (separated by comma or colon), SPLUNK_STATE_DIR [none], SPLUNK_TOKEN [none],
 * POD_NAME [the host's name], SPLUNK_POLL_SECONDS [0.2], SPLUNK_RETRY_SECONDS [1],
 * SPLUNK_DRAIN_SECONDS [10].
 */
export const command: Command = {
  name: "splunk-forwarder",
  summary: "log sidecar: follows *.log files and sends their lines to the collector",
  options: {},
  async start(_values, env) {
    const forwarder = startForwarder({
      instance: env.SPLUNK_ENDPOINT ?? requiredVariable(env, "SPLUNK_INSTANCE"),
      token: env.SPLUNK_TOKEN,
      clientName: requiredVariable(env, "SPLUNK_CLIENT_NAME"),
      host: env.POD_NAME ?? hostname(),
      directories: requiredVariable(env, "SPLUNK_LOG_DIRS")
        .split(/[,:]/)
        .filter((path) => path !== ""),
      stateDirectory: env.SPLUNK_STATE_DIR,
      pollMs: secondsVariable(env, "SPLUNK_POLL_SECONDS", 200),
      retryMs: secondsVariable(env, "SPLUNK_RETRY_SECONDS", 1000),
      drainMs: secondsVariable(env, "SPLUNK_DRAIN_SECONDS", 10_000),
      log: (event, fields) => {
        const line = { time: new Date().toISOString(), event, ...fields };
        process.stdout.write(`${JSON.stringify(line)}\n`);
      },
    });
    return { listening: {}, [Symbol.asyncDispose]: () => forwarder[Symbol.asyncDispose]() };
  },
};
