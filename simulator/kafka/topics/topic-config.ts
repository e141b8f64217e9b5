/** The sources of a value, as DescribeConfigs numbers them. */
const DYNAMIC_TOPIC_CONFIG = 1;
const STATIC_BROKER_CONFIG = 4;
const DEFAULT_CONFIG = 5;

/** The numbers of the types of values in DescribeConfigs. */
const TYPE = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const;

const LONG_MAX = "9223372036854775807";

interface TopicSetting {
  readonly type: keyof typeof TYPE;
  readonly standard: string;
  /** The lowest number, or -2^63 when it is absent. */
  readonly min?: number;
  readonly max?: number;
  /** The only allowed strings, or elements of a list. */
  readonly oneOf?: readonly string[];
}

/** The accepted topic settings, with Apache Kafka's types, limits and defaults (LogConfig). */
const SETTINGS: ReadonlyMap<string, TopicSetting> = new Map<string, TopicSetting>([
  ["cleanup.policy", { type: "list", standard: "delete", oneOf: ["compact", "delete"] }],
  [
    "compression.type",
    {
      type: "string",
      standard: "producer",
      oneOf: ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
    },
  ],
  ["delete.retention.ms", { type: "long", standard: "86400000", min: 0 }],
  ["file.delete.delay.ms", { type: "long", standard: "60000", min: 0 }],
  ["flush.messages", { type: "long", standard: LONG_MAX, min: 1 }],
  ["flush.ms", { type: "long", standard: LONG_MAX, min: 0 }],
  ["index.interval.bytes", { type: "int", standard: "4096", min: 0 }],
  ["max.compaction.lag.ms", { type: "long", standard: LONG_MAX, min: 1 }],
  ["max.message.bytes", { type: "int", standard: "1048588", min: 0 }],
  ["message.timestamp.after.max.ms", { type: "long", standard: "3600000", min: 0 }],
  ["message.timestamp.before.max.ms", { type: "long", standard: LONG_MAX, min: 0 }],
  [
    "message.timestamp.type",
    { type: "string", standard: "CreateTime", oneOf: ["CreateTime", "LogAppendTime"] },
  ],
  ["min.cleanable.dirty.ratio", { type: "double", standard: "0.5", min: 0, max: 1 }],
  ["min.compaction.lag.ms", { type: "long", standard: "0", min: 0 }],
  ["min.insync.replicas", { type: "int", standard: "1", min: 1 }],
  ["preallocate", { type: "boolean", standard: "false" }],
  ["retention.bytes", { type: "long", standard: "-1" }],
  ["retention.ms", { type: "long", standard: "604800000", min: -1 }],
  ["segment.bytes", { type: "int", standard: "1073741824", min: 14 }],
  ["segment.index.bytes", { type: "int", standard: "10485760", min: 4 }],
  ["segment.jitter.ms", { type: "long", standard: "0", min: 0 }],
  ["segment.ms", { type: "long", standard: "604800000", min: 1 }],
  ["unclean.leader.election.enable", { type: "boolean", standard: "false" }],
]);

export type TopicConfig = ReadonlyMap<string, string>;

/** The settings of a topic that have an effect. */
export interface TopicRules {
  readonly batchBytesMax: number;
  /**
   * The time since the newest record of a batch, in milliseconds. A negative value means for ever.
   */
  readonly retentionMs: number;
  /** The bytes kept for each partition. A negative value means no limit. */
  readonly retentionBytes: number;
  /** True when retention applies at all (`cleanup.policy`). */
  readonly deletes: boolean;
  readonly usesLogAppendTime: boolean;
  /** The largest age of a record when it is appended, in milliseconds. */
  readonly timestampBeforeMsMax: number;
  /** The longest time that a record may lie in the future, in milliseconds. */
  readonly timestampAfterMsMax: number;
  readonly insyncReplicasMin: number;
}

interface ConfiguredTopic {
  readonly config: TopicConfig;
  readonly rules: TopicRules;
}

/**
 * Returns the settings that have an effect. `batchBytesMax` is the cluster's value, for a topic
 * without `max.message.bytes`.
 */
export function topicRules(config: TopicConfig, batchBytesMax: number): TopicRules {
  const text = (name: string): string => config.get(name) ?? SETTINGS.get(name)?.standard ?? "";
  const own = config.get("max.message.bytes");
  return {
    batchBytesMax: own === undefined ? batchBytesMax : Number(own),
    retentionMs: Number(text("retention.ms")),
    retentionBytes: Number(text("retention.bytes")),
    deletes: elements(text("cleanup.policy")).includes("delete"),
    usesLogAppendTime: text("message.timestamp.type") === "LogAppendTime",
    timestampBeforeMsMax: Number(text("message.timestamp.before.max.ms")),
    timestampAfterMsMax: Number(text("message.timestamp.after.max.ms")),
    insyncReplicasMin: Number(text("min.insync.replicas")),
  };
}

/**
 * Returns the reason why these settings are INVALID_CONFIG, in Apache Kafka's words, or undefined
 * when they are valid.
 */
export function topicConfigFault(config: TopicConfig): string | undefined {
  for (const [name, value] of config) {
    const setting = SETTINGS.get(name);
    if (setting === undefined) return `Unknown topic config name: ${name}`;
    const fault = valueFault(setting, value.trim());
    if (fault !== undefined) return `Invalid value ${value} for configuration ${name}: ${fault}`;
  }
  return undefined;
}

function valueFault({ type, min, max, oneOf }: TopicSetting, value: string): string | undefined {
  if (type === "boolean") {
    return /^(true|false)$/i.test(value) ? undefined : "Expected value to be either true or false";
  }
  if (oneOf !== undefined) {
    const given = type === "list" ? elements(value) : [value];
    const isAllowed = given.length > 0 && given.every((one) => oneOf.includes(one));
    return isAllowed ? undefined : `String must be one of: ${oneOf.join(", ")}`;
  }
  if (!isNumber(type, value)) return `Not a number of type ${type.toUpperCase()}`;
  if (min !== undefined && Number(value) < min) return `Value must be at least ${min}`;
  return max !== undefined && Number(value) > max ? `Value must be no more than ${max}` : undefined;
}

function isNumber(type: TopicSetting["type"], value: string): boolean {
  if (type === "double") return value !== "" && Number.isFinite(Number(value));
  if (!/^-?\d{1,19}$/.test(value)) return false;
  const bits = type === "int" ? 32 : 64;
  return BigInt.asIntN(bits, BigInt(value)) === BigInt(value);
}

/**
 * Tells whether a value is a list, to which APPEND and SUBTRACT apply. Returns undefined for an
 * unknown setting.
 */
export function isListSetting(name: string): boolean | undefined {
  const setting = SETTINGS.get(name);
  return setting === undefined ? undefined : setting.type === "list";
}

/** Returns the elements of a list, or without a value those of the default. */
export function listElements(name: string, value: string | undefined): string[] {
  return elements(value ?? SETTINGS.get(name)?.standard ?? "");
}

function elements(list: string): string[] {
  return list
    .split(",")
    .map((element) => element.trim())
    .filter((element) => element !== "");
}

export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  readonly readOnly: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  readonly configType: number;
}

/** Returns every setting of the topic, by name. */
export function topicConfigEntries(topic: ConfiguredTopic): ConfigEntry[] {
  return [...SETTINGS].map(([name, { type, standard }]) => {
    const own = topic.config.get(name);
    const value =
      own ?? (name === "max.message.bytes" ? String(topic.rules.batchBytesMax) : standard);
    return {
      name,
      value,
      readOnly: false,
      configSource: own === undefined ? inheritedSource(value, standard) : DYNAMIC_TOPIC_CONFIG,
      isSensitive: false,
      configType: TYPE[type],
    };
  });
}

function inheritedSource(value: string, standard: string): number {
  return value === standard ? DEFAULT_CONFIG : STATIC_BROKER_CONFIG;
}
