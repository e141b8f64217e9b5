import { randomBytes } from "node:crypto";
import type { Authority } from "#fixtures/certificates.ts";
import { NAMES } from "#fixtures/configurations.ts";
import { alternativeNames } from "#e2e/brokers/alternative-names.ts";
import { BROKER_ABILITIES } from "#e2e/brokers/broker-abilities.ts";
import { DEAD_LETTER_SETTINGS } from "#e2e/brokers/broker-names.ts";
import type { BrokerProvider } from "#e2e/brokers/broker-provider.ts";
import { startEmbeddedBroker } from "./embedded-broker.ts";

export interface EmbeddedBrokersOptions {
  readonly authority: Authority;
  /** The host name at which pods reach the brokers. */
  readonly host: string;
}

/** The shortest session that the broker allows. It is below the session timeout of every column of durations. */
const SESSION_TIMEOUT_MS_MIN = 1000;

/** Returns a provider that starts a broker in this process for each deployment. */
export function embeddedBrokers({ authority, host }: EmbeddedBrokersOptions): BrokerProvider {
  return {
    kind: "embedded",
    abilities: BROKER_ABILITIES.embedded,
    sessionTimeoutMsMin: SESSION_TIMEOUT_MS_MIN,
    open: async ({ partitions, nodes }) => {
      const password = randomBytes(24).toString("base64url");
      const server = await authority.issue({ commonName: "broker", ...alternativeNames(host) });
      const broker = await startEmbeddedBroker({
        advertisedHost: host,
        server,
        users: { [NAMES.username]: password },
        sessionTimeoutMsMin: SESSION_TIMEOUT_MS_MIN,
        nodes,
        topics: [
          { name: NAMES.topic, partitions },
          {
            name: NAMES.deadLetterTopic,
            partitions: 1,
            config: DEAD_LETTER_SETTINGS,
          },
        ],
      });
      return {
        broker,
        ports: broker.bootstrap.map((address) => Number(new URL(`kafka://${address}`).port)),
        names: NAMES,
        password,
        [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
