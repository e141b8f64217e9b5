import { randomBytes } from "node:crypto";
import type { BrokerNames } from "#fixtures/configurations.ts";
import { NAMES } from "#fixtures/configurations.ts";
import type { TopicSettings } from "./broker.ts";

/**
 * The broker stamps the records, since the history of a run needs one clock and the clock of a pod may have been
 * stepped.
 */
export const DEAD_LETTER_SETTINGS: TopicSettings = { "message.timestamp.type": "LogAppendTime" };

/**
 * Returns names that no other deployment has, for a broker that several deployments share. `username` is used when it
 * is given; otherwise the deployment gets a user of its own as well.
 */
export function brokerNames(username?: string): BrokerNames {
  const own = randomBytes(4).toString("hex");
  return {
    topic: `${NAMES.topic}.${own}`,
    deadLetterTopic: `${NAMES.deadLetterTopic}.${own}`,
    group: `${NAMES.group}.${own}`,
    username: username ?? `${NAMES.username}.${own}`,
  };
}
