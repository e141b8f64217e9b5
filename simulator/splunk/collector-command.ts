import type { Command } from "#simulator/process/command.ts";
import { integerOption, textOption } from "#simulator/process/command.ts";
import { startCollector } from "./collector.ts";

/**
 * The command that runs the collector as a process. The token comes in SPLUNK_TOKEN, because the
 * arguments of a process are visible to every user of a host.
 */
export const command: Command = {
  name: "splunk-collector",
  summary: "receives the events that forwarders send",
  options: { host: { type: "string" }, port: { type: "string" } },
  async start(values, env) {
    const collector = await startCollector({
      host: textOption(values, "host", "127.0.0.1"),
      port: integerOption(values, "port", 0),
      ...(env.SPLUNK_TOKEN === undefined ? {} : { token: env.SPLUNK_TOKEN }),
    });
    return {
      listening: { url: collector.url, instance: collector.instance },
      [Symbol.asyncDispose]: () => collector[Symbol.asyncDispose](),
    };
  },
};
