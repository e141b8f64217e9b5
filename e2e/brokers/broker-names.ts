import { randomBytes } from "node:crypto";
import type { BrokerNames } from "#fixtures/configurations.ts";
import { NAMES } from "#fixtures/configurations.ts";

/** Names that no other stage has, for a broker that stages share. `username`: given, or one of its own too. */
export function brokerNames(username?: string): BrokerNames {
  const own = randomBytes(4).toString("hex");
  return {
    topic: `${NAMES.topic}.${own}`,
    deadLetterTopic: `${NAMES.deadLetterTopic}.${own}`,
    group: `${NAMES.group}.${own}`,
    username: username ?? `${NAMES.username}.${own}`,
  };
}
