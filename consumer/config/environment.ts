import { isJsonObject } from "#consumer/json.ts";
import type { JsonObject } from "#consumer/json.ts";
import { ConsumerError } from "#consumer/errors.ts";

/** The variables that override the file, so that one image and one file can be used in several places. */
export const ENVIRONMENT_OVERRIDES: Readonly<Record<string, readonly string[]>> = {
  ATHENZ_CERT: ["athenz", "certificate"],
  ATHENZ_KEY: ["athenz", "key"],
  ATHENZ_CA: ["athenz", "ca"],
  HISTORY_DIR: ["history", "directory"],
  LOG_DIR: ["log", "directory"],
  LOG_LEVEL: ["log", "level"],
  HEALTH_HOST: ["health", "host"],
  HEALTH_PORT: ["health", "port"],
};

/**
 * Options of Node that weaken TLS, write its keys or the environment to a file, or let others inspect the process.
 * Options that load code, such as --import, are allowed: whoever can set them can do anything anyway.
 */
const REFUSED_OPTION =
  /^--?(?:inspect.*|debug-port|tls-.*|insecure-http-parser|openssl-legacy-provider|openssl-shared-config|report-.*|trace-tls|heapsnapshot-.*)$/;

/** Throws "bad-configuration" that names every variable of Node that would undo what the configuration promises. */
export function checkEnvironment(environment: Readonly<Record<string, string | undefined>>): void {
  const faults: string[] = [];
  if (environment.NODE_TLS_REJECT_UNAUTHORIZED === "0") {
    faults.push(
      "variable NODE_TLS_REJECT_UNAUTHORIZED: must not be 0, because the certificates of servers would not be verified",
    );
  }
  for (const name of ["NODE_DEBUG", "NODE_DEBUG_NATIVE"]) {
    const value = environment[name];
    if (value === undefined || value === "") continue;
    faults.push(`variable ${name}: must not be set, because it prints headers and secrets`);
  }
  for (const word of (environment.NODE_OPTIONS ?? "").split(/\s+/)) {
    const option = word.replaceAll(/["'\\]/g, "").replace(/=.*$/s, "");
    if (!REFUSED_OPTION.test(option.replaceAll("_", "-"))) continue;
    faults.push(`variable NODE_OPTIONS: must not hold ${option}`);
  }
  if (faults.length === 0) return;
  throw new ConsumerError(
    "bad-configuration",
    `the environment is refused:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`,
  );
}

export interface Overridden {
  readonly value: unknown;
  /** Maps a dotted path to the origin of its value, such as "variable HEALTH_PORT". */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * Overrides the document by the variables that are set and not empty. A document that is not a mapping is kept as it
 * is.
 */
export function override(
  document: unknown,
  environment: Readonly<Record<string, string | undefined>>,
  option: { readonly logLevel?: string },
): Overridden {
  const origins = new Map<string, string>();
  if (!isJsonObject(document)) {
    return { value: document, origins };
  }
  let value: JsonObject = document;
  for (const [variable, path] of Object.entries(ENVIRONMENT_OVERRIDES)) {
    const text = environment[variable];
    if (text !== undefined && text !== "") {
      const numeric = variable === "HEALTH_PORT" && /^\d+$/.test(text);
      value = withValue(value, path, numeric ? Number(text) : text);
      origins.set(path.join("."), `variable ${variable}`);
    }
  }
  if (option.logLevel !== undefined) {
    value = withValue(value, ["log", "level"], option.logLevel);
    origins.set("log.level", "option --log-level");
  }
  return { value, origins };
}

function withValue(mapping: JsonObject, path: readonly string[], value: unknown): JsonObject {
  const [key = "", ...rest] = path;
  if (rest.length === 0) {
    return { ...mapping, [key]: value };
  }
  const inner = mapping[key] ?? {};
  return { ...mapping, [key]: isJsonObject(inner) ? withValue(inner, rest, value) : inner };
}
