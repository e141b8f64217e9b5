import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthority } from "#fixtures/certificates.ts";
import { startSimulator } from "#simulator/process/simulator-process.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import type { Broker } from "#e2e/brokers/broker.ts";
import { brokerContract } from "#e2e/brokers/testing/broker-contract.ts";
import type { ContractSubject } from "#e2e/brokers/testing/broker-contract.ts";
import { BROKER_ABILITIES } from "#e2e/brokers/broker-abilities.ts";
import { connectEmbeddedBroker, startEmbeddedBroker } from "./embedded-broker.ts";

const USER = { username: "sre-consumer", password: "correct horse" };

const authority = await createAuthority();
const server = await authority.issue({ commonName: "broker", ipAddresses: ["127.0.0.1"] });

function subjectOf(broker: Broker, stack: AsyncDisposableStack): ContractSubject {
  return {
    broker,
    user: USER,
    authorityPem: authority.certificatePem,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function startHere(): Promise<ContractSubject> {
  const stack = new AsyncDisposableStack();
  const broker = await startEmbeddedBroker({
    advertisedHost: "127.0.0.1",
    server,
    users: { [USER.username]: USER.password },
    topics: [],
    sessionTimeoutMsMin: 100,
    nodes: 2,
  });
  return subjectOf(stack.use(broker), stack);
}

async function startElsewhere(): Promise<ContractSubject> {
  const stack = new AsyncDisposableStack();
  const directory = await makeOwnedDirectory();
  stack.defer(() => removeDirectory(directory));
  const file = async (name: string, content: string): Promise<string> => {
    await writeFile(join(directory, name), content);
    return join(directory, name);
  };
  const running = stack.use(
    startSimulator([
      "kafka",
      "--nodes=2",
      "--control-port=0",
      "--sasl=SCRAM-SHA-512",
      "--session-timeout-ms-min=100",
      `--tls-cert=${await file("cert.pem", server.certificatePem)}`,
      `--tls-key=${await file("key.pem", server.privateKeyPem)}`,
      `--users-file=${await file("users", JSON.stringify({ [USER.username]: USER.password }))}`,
      `--control-token-file=${await file("token", "battery-staple")}`,
    ]),
  );
  const url = String((await running.listening()).control);
  const broker = stack.use(await connectEmbeddedBroker({ url, token: "battery-staple" }));
  return subjectOf(broker, stack);
}

brokerContract({
  subject: "of this process",
  abilities: BROKER_ABILITIES.embedded,
  start: startHere,
});
brokerContract({
  subject: "of another process",
  abilities: BROKER_ABILITIES.embedded,
  start: startElsewhere,
});
