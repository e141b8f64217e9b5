import { createAuthority } from "#fixtures/certificates.ts";
import { notAsked } from "#kind/testing/container-tests.ts";
import { describe } from "vitest";
import { BROKER_ABILITIES } from "#e2e/brokers/broker-abilities.ts";
import { brokerContract } from "#e2e/brokers/testing/broker-contract.ts";
import type { ContractSubject } from "#e2e/brokers/testing/broker-contract.ts";
import { startContainer } from "./start-container.ts";
import { startSharedBroker } from "./shared-broker-provider.ts";
import { selectSoftware } from "./select-software.ts";

async function start(): Promise<ContractSubject> {
  await using starting = new AsyncDisposableStack();
  const authority = await createAuthority();
  const provider = starting.use(
    await startSharedBroker({
      software: selectSoftware("kafka", null),
      place: { start: startContainer, dnsNames: [] },
      authority,
      host: "127.0.0.1",
      deploymentsMax: 1,
      signal: new AbortController().signal,
    }),
  );
  const { broker, names, password } = starting.use(
    await provider.open({ partitions: 1, nodes: 1 }),
  );
  const stack = starting.move();
  return {
    broker,
    user: { username: names.username, password },
    authorityPem: authority.certificatePem,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe.skipIf(notAsked() !== "")(`Apache Kafka in a container${notAsked()}`, () => {
  brokerContract({
    subject: "kafka",
    abilities: BROKER_ABILITIES.kafka,
    start,
  });
});
