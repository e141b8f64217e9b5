import {
  array,
  boolean,
  int8,
  nullableString,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import {
  changeConfigs,
  configChangesResponse,
  invalid,
  refuseConfigs,
  TOPIC,
} from "./config-changes.ts";
import { defineApi } from "./define.ts";

/** Replaces all settings of a resource. A setting that is not named goes back to its default. */
export const alterConfigs = defineApi({
  key: 33,
  name: "AlterConfigs",
  versions: [0, 2],
  flexibleFrom: 2,
  request: struct({
    resources: array(
      struct({
        type: int8,
        name: string,
        configs: array(struct({ name: string, value: nullableString })),
      }),
    ),
    validateOnly: boolean,
  }),
  response: configChangesResponse,
  scope: ({ resources }) => ({
    topics: resources.filter(({ type }) => type === TOPIC).map(({ name }) => name),
  }),
  handle: ({ resources, validateOnly }, context) =>
    changeConfigs(resources, context, validateOnly, ({ configs }) => {
      const changed = new Map<string, string>();
      for (const { name, value } of configs) {
        if (value === null) return invalid(`Null value not supported for : ${name}`);
        changed.set(name, value);
      }
      return changed;
    }),
  refuse: ({ resources }, error) => refuseConfigs(resources, error),
});
