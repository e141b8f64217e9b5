/** The variables that stand above the file, so that one image and one file run in several places. */
export const ENVIRONMENT_OVERRIDES: Readonly<Record<string, readonly string[]>> = {
  ATHENZ_CERT: ["athenz", "certificate"],
  ATHENZ_KEY: ["athenz", "key"],
  ATHENZ_CA: ["athenz", "ca"],
  HISTORY_DIR: ["history", "directory"],
  LOG_DIR: ["log", "directory"],
  LOG_LEVEL: ["log", "level"],
  HEALTH_PORT: ["health", "port"],
};

export interface Overridden {
  readonly value: unknown;
  /** Dotted path to where its value came from, such as "variable HEALTH_PORT". */
  readonly origins: ReadonlyMap<string, string>;
}

/** Puts the variables that are set and not empty over the document; a document that is no mapping stays as it is. */
export function override(
  document: unknown,
  environment: Readonly<Record<string, string | undefined>>,
  option: { readonly logLevel?: string },
): Overridden {
  const origins = new Map<string, string>();
  if (!isMapping(document)) {
    return { value: document, origins };
  }
  let value: Record<string, unknown> = document;
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

function withValue(
  mapping: Readonly<Record<string, unknown>>,
  path: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const [key = "", ...rest] = path;
  if (rest.length === 0) {
    return { ...mapping, [key]: value };
  }
  const inner = mapping[key] ?? {};
  return { ...mapping, [key]: isMapping(inner) ? withValue(inner, rest, value) : inner };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
