import { randomBytes } from "node:crypto";
import type { BrokerNames } from "#fixtures/configurations.ts";
import { NAMES } from "#fixtures/configurations.ts";
import type { TopicSettings } from "./broker.ts";

/** The history of a run needs one clock: that of a pod may have been stepped. */
export const DEAD_LETTER_SETTINGS: TopicSettings = { "message.timestamp.type": "LogAppendTime" };

/** Names that no other deployment has, for a broker that deployments share. `username`: given, or one of its own too. */
export function brokerNames(username?: string): BrokerNames {
  const own = randomBytes(4).toString("hex");
  return {
    topic: `${NAMES.topic}.${own}`,
    deadLetterTopic: `${NAMES.deadLetterTopic}.${own}`,
    group: `${NAMES.group}.${own}`,
    username: username ?? `${NAMES.username}.${own}`,
  };
}
