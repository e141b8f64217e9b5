import { isListSetting, listElements } from "#simulator/kafka/topics/topic-config.ts";
import type { TopicConfig } from "#simulator/kafka/topics/topic-config.ts";
import {
  array,
  boolean,
  int8,
  nullableString,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import type { Decoded } from "#simulator/kafka/wire/codec.ts";
import {
  changeConfigs,
  configChangesResponse,
  invalid,
  refuseConfigs,
  TOPIC,
} from "./config-changes.ts";
import type { ConfigFault } from "./config-changes.ts";
import { defineApi } from "./define.ts";

// The operations on one setting (KIP-339).
const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

const alteration = struct({ name: string, operation: int8, value: nullableString });

/** Changes the named settings of a resource and leaves the others. */
export const incrementalAlterConfigs = defineApi({
  key: 44,
  name: "IncrementalAlterConfigs",
  versions: [0, 1],
  flexibleFrom: 1,
  request: struct({
    resources: array(struct({ type: int8, name: string, configs: array(alteration) })),
    validateOnly: boolean,
  }),
  response: configChangesResponse,
  scope: ({ resources }) => ({
    topics: resources.filter(({ type }) => type === TOPIC).map(({ name }) => name),
  }),
  handle: ({ resources, validateOnly }, context) =>
    changeConfigs(resources, context, validateOnly, ({ configs }, current) =>
      altered(configs, current),
    ),
  refuse: ({ resources }, error) => refuseConfigs(resources, error),
});

function altered(
  alterations: readonly Decoded<typeof alteration>[],
  current: TopicConfig,
): TopicConfig | ConfigFault {
  const changed = new Map(current);
  for (const { name, operation, value } of alterations) {
    if (operation === DELETE) {
      changed.delete(name);
      continue;
    }
    if (value === null) return invalid(`Null value not supported for : ${name}`);
    if (operation === SET) changed.set(name, value);
    else if (operation !== APPEND && operation !== SUBTRACT) {
      // Apache Kafka 4.1 answers this error, too.
      return { error: "UNKNOWN_SERVER_ERROR", message: `unknown operation ${operation}` };
    } else if (isListSetting(name) !== true) {
      const verb = operation === APPEND ? "APPEND" : "SUBTRACT";
      const message = `Can't ${verb} to key ${name} because its type is not LIST.`;
      return { error: "INVALID_CONFIG", message };
    } else {
      const before = listElements(name, current.get(name));
      const given = value.split(",");
      const after =
        operation === APPEND
          ? [...new Set([...before, ...given])]
          : before.filter((element) => !given.includes(element));
      changed.set(name, after.join(","));
    }
  }
  return changed;
}
