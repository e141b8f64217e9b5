import { expect, test } from "vitest";

import { createAuthority } from "#fixtures/certificates.ts";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { startCkms } from "#simulator/ckms/server.ts";
import {
  commitAll,
  committed,
  createKafkaHarness,
  CREDENTIALS,
  produce,
  until,
  valuesOf,
} from "#simulator/kafka/testing/kafka-harness.ts";

import { startSession } from "#consumer/process/session.ts";
import { createSecrets } from "#consumer/adapters/ckms.ts";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createRecordedLog } from "#fixtures/ports/observers.ts";

const KEY_GROUP = "bigpanda.keys.sre";
const SECRET = "bigpanda-prod-scram-key";
const ROTATED = "battery staple";

test("a password that is changed at the broker first and in CKMS later is recovered, nothing is lost", async () => {
  await using harness = await createKafkaHarness();
  const cluster = await harness.startCluster();
  const authority = await createAuthority();
  const server = await authority.issue({ commonName: "ckms", ipAddresses: ["127.0.0.1"] });
  const client = await authority.issue({ commonName: "sre.kafka-consumer" });
  await using ckms = await startCkms({
    server,
    authorityPem: authority.certificatePem,
    roles: { isMember: async () => true },
  });
  await ckms.control.putSecret(KEY_GROUP, SECRET, CREDENTIALS.password);
  const secrets = createSecrets({
    url: ckms.url,
    keyGroup: KEY_GROUP,
    requestTimeoutMs: 2000,
    log: createRecordedLog(),
    identity: {
      current: async () => ({
        certificate: client.certificatePem,
        privateKey: client.privateKeyPem,
        authority: authority.certificatePem,
        principal: "sre.kafka-consumer",
        notAfterMs: Number.MAX_SAFE_INTEGER,
      }),
      state: { ready: true },
    },
  });
  const seen: string[] = [];
  let passwordOfWriter = CREDENTIALS.password;
  const credentialsOfWriter = async () => ({ ...CREDENTIALS, password: passwordOfWriter });
  const clock = createSystemClock();
  const session = startSession({
    createBroker: (credentials) => {
      const { broker, consuming } = harness.startBroker(
        cluster,
        async (batch) => {
          seen.push(...valuesOf(batch));
          await commitAll(batch);
        },
        { credentials },
      );
      const consume = async () => {
        const end = await consuming;
        if (end !== "ended") throw end;
      };
      return Object.assign(Object.create(broker, {}), { consume });
    },
    credentials: async () => ({ ...CREDENTIALS, password: await secrets.fetch(SECRET) }),
    handle: async () => undefined,
    clock,
    random: createSeededRandom(1),
    log: createRecordedLog(),
    retry: { delayMsMin: 100, delayMsMax: 1000 },
    budgetMs: 60_000,
    sinceMs: clock.monotonicMs(),
    onJoined: () => undefined,
  });
  await until(() => session.state.ready, "joined");
  const write = (...values: string[]) => {
    const options = { credentials: credentialsOfWriter, kafka: { groupId: "writer" } };
    return produce(harness.startBroker(cluster, commitAll, options), ...values);
  };
  await write("before");
  await until(() => committed(cluster) === 1n, "before");

  // The rotation: connections break, and for a while CKMS still gives the old password.
  const fetchedBefore = (await ckms.control.requests()).length;
  cluster.users.set(CREDENTIALS.username, ROTATED);
  passwordOfWriter = ROTATED;
  const beginMs = performance.now();
  await cluster.node(1).kill();
  await cluster.node(1).start();
  await write("while refused");
  let refused = 0;
  const countFetches = async () => {
    refused = (await ckms.control.requests()).length - fetchedBefore;
  };
  await until(() => {
    void countFetches();
    return refused >= 1;
  }, "asked CKMS again");
  expect(committed(cluster)).toBe(1n);
  await ckms.control.putSecret(KEY_GROUP, SECRET, ROTATED);
  await until(() => committed(cluster) === 2n, "recovered");
  expect(performance.now() - beginMs).toBeLessThan(30_000);
  await write("after");
  await until(() => committed(cluster) === 3n, "after");
  expect(seen).toStrictEqual(["before", "while refused", "after"]);
  await session.stop();
  await session.ended;
});
