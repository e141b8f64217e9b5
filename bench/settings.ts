import { parseConfig } from "#consumer/config/load-config.ts";
import type { Config } from "#consumer/config/load-config.ts";
import type { Log } from "#consumer/ports.ts";
import { durationsOf } from "#e2e/base/durations.ts";
import { configuration, configurationText } from "#fixtures/configurations.ts";

/** Returns the configuration of production with the servers of a benchmark. */
export function productionConfig(brokers: readonly string[] = ["127.0.0.1:9"]): Config {
  const document = configuration({
    brokers,
    ckmsUrl: "https://127.0.0.1:4443",
    actionUrl: "http://127.0.0.1:8080",
    useIdentity: false,
    durations: durationsOf(true, "local").consumer,
  });
  return parseConfig(configurationText(document), "config.yaml");
}

/** Logs errors only. */
export const errorLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (event, fields) => void process.stderr.write(`${event} ${describe(fields)}\n`),
};

function describe(fields: unknown): string {
  return JSON.stringify(fields, (_, value: unknown) =>
    value instanceof Error ? value.message : value,
  );
}
