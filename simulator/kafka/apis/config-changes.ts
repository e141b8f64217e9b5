import type { Operation } from "#simulator/kafka/security/acl-entry.ts";
import { topicConfigFault } from "#simulator/kafka/topics/topic-config.ts";
import type { TopicConfig } from "#simulator/kafka/topics/topic-config.ts";
import {
  array,
  int16,
  int32,
  int8,
  nullableString,
  string,
  struct,
} from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import { clusterAccessRefusal, topicAccessRefusal } from "./authorization.ts";
import type { RequestContext } from "./define.ts";

/** The types of resources that have settings, as the protocol numbers them. */
export const TOPIC = 2;
export const BROKER = 4;

/** One resource whose settings are to be changed. `name` is a topic, or the id of a node. */
interface ChangedResource {
  readonly type: number;
  readonly name: string;
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

/** The reason why a change is refused, with the message for the client. */
export interface ConfigFault {
  readonly error: ErrorName;
  readonly message: string;
}

/** The answer of AlterConfigs and IncrementalAlterConfigs. */
export const configChangesResponse = struct({
  throttleTimeMs: int32,
  responses: array(
    struct({ errorCode: int16, errorMessage: nullableString, type: int8, name: string }),
  ),
});

/**
 * Applies `change` to the settings of every resource, each completely or not at all. The order of
 * checks is that of Apache Kafka's ConfigAdminManager.
 */
export function changeConfigs<R extends ChangedResource>(
  resources: readonly R[],
  context: RequestContext,
  validateOnly: boolean,
  change: (resource: R, current: TopicConfig) => TopicConfig | ConfigFault,
) {
  const faultOf = (resource: R): ConfigFault | undefined => {
    const same = resources.filter(({ type, name }) => {
      return type === resource.type && name === resource.name;
    });
    if (same.length > 1) return invalid("Each resource must appear at most once.");
    const fault = shapeFault(resource);
    if (fault !== undefined) return fault;
    const refusal = configRefusal(context, "ALTER_CONFIGS", resource);
    if (refusal !== undefined) return { error: refusal, message: "Authorization failed." };
    const topic = context.cluster.topics.get(resource.name);
    const changed = change(resource, topic?.config ?? new Map());
    if ("error" in changed) return changed;
    const invalidValue = topicConfigFault(changed);
    if (invalidValue !== undefined) return { error: "INVALID_CONFIG", message: invalidValue };
    if (topic === undefined) {
      const message = `The topic '${resource.name}' does not exist.`;
      return { error: "UNKNOWN_TOPIC_OR_PARTITION", message };
    }
    if (!validateOnly) context.cluster.configureTopic(topic, changed);
    return undefined;
  };
  const responses = resources.map((resource) => {
    const { error = "NONE", message = null } = faultOf(resource) ?? {};
    const { type, name } = resource;
    return { errorCode: errorCode(error), errorMessage: message, type, name };
  });
  return { throttleTimeMs: 0, responses };
}

/**
 * Returns the error for a client without the right to a resource. Settings of nodes belong to the
 * cluster.
 */
export function configRefusal(
  context: RequestContext,
  operation: Operation,
  { type, name }: Pick<ChangedResource, "type" | "name">,
): ErrorName | undefined {
  if (type === BROKER) return clusterAccessRefusal(context, operation);
  return type === TOPIC ? topicAccessRefusal(context, operation, name) : undefined;
}

export function refuseConfigs(resources: readonly ChangedResource[], error: number) {
  return {
    throttleTimeMs: 0,
    responses: resources.map(({ type, name }) => {
      return { errorCode: error, errorMessage: null, type, name };
    }),
  };
}

function shapeFault({ type, configs }: ChangedResource): ConfigFault | undefined {
  const names = configs.map(({ name }) => name);
  if (new Set(names).size !== names.length) return invalid("Error due to duplicate config keys");
  if (type === BROKER) {
    return invalid(`Cannot update these configs dynamically: ${names.join(", ")}`);
  }
  return type === TOPIC ? undefined : invalid(`Unknown resource type ${type}`);
}

export function invalid(message: string): ConfigFault {
  return { error: "INVALID_REQUEST", message };
}
