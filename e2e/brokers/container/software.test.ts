import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { createAuthority } from "#fixtures/certificates.ts";
import { apacheKafka, serverProperties } from "./apache-kafka.ts";
import { BROKER_IMAGES } from "./images.ts";
import { nodeConfiguration, redpanda } from "./redpanda.ts";
import { ADMINISTRATOR } from "./software.ts";
import type { BrokerPlan } from "./software.ts";
import { selectSoftware } from "./select-software.ts";

const authority = await createAuthority();
const plan: BrokerPlan = {
  admin: { name: "ADMIN", port: 9100, advertised: "127.0.0.1:41000" },
  podListeners: [
    { name: "PODS1", port: 9101, advertised: "relay.kit.svc:41001" },
    { name: "PODS2", port: 9102, advertised: "relay.kit.svc:41002" },
  ],
  certificate: await authority.issue({ commonName: "broker" }),
  authorityPem: authority.certificatePem,
};

describe.each([apacheKafka("kafka:1"), redpanda("redpanda:1")])("$kind", (software) => {
  const files = software.files(plan);

  test("refers to exactly the files that it has", () => {
    const told = [software.prepare, ...software.argv, ...Object.values(software.environment)];
    const texts = [...told, ...Object.values(files)].join("\n");
    const named = new Set(texts.match(/(?<=\/etc\/broker\/)[\w.]+/g));
    expect(named).toEqual(new Set(Object.keys(files)));
  });

  test("has its private key only in files", () => {
    const { kind, image, prepare, argv, environment } = software;
    const seen = JSON.stringify({ kind, image, prepare, argv, environment });
    expect(seen).not.toContain("PRIVATE KEY");
    expect(Object.values(files).some((text) => text.includes("PRIVATE KEY"))).toBe(true);
    expect(Object.values(files).join("")).not.toMatch(/password/i);
  });

  test("has its own certificate, and that of the authority to verify others", () => {
    const texts = Object.values(files);
    expect(texts.some((text) => text.includes(plan.certificate.certificatePem))).toBe(true);
    expect(texts).toContain(authority.certificatePem);
  });
});

describe("Apache Kafka", () => {
  const properties = serverProperties(plan);

  test("is one node that forms groups at once and makes topics only on request", () => {
    expect(properties).toMatchObject({
      "process.roles": "broker,controller",
      "offsets.topic.replication.factor": "1",
      "group.initial.rebalance.delay.ms": "0",
      "group.min.session.timeout.ms": "1000",
      "auto.create.topics.enable": "false",
    });
  });

  test("uses a listener without TLS only for itself", () => {
    expect(properties["listeners"]?.split(",")).toEqual([
      "CONTROLLER://127.0.0.1:9090",
      "INNER://127.0.0.1:9091",
      "ADMIN://0.0.0.0:9100",
      "PODS1://0.0.0.0:9101",
      "PODS2://0.0.0.0:9102",
    ]);
    expect(properties["listener.security.protocol.map"]?.split(",")).toEqual([
      "CONTROLLER:PLAINTEXT",
      "INNER:PLAINTEXT",
      "ADMIN:SSL",
      "PODS1:SASL_SSL",
      "PODS2:SASL_SSL",
    ]);
  });

  test("requires a certificate where it requires no password", () => {
    expect(properties["listener.name.admin.ssl.client.auth"]).toBe("required");
    for (const listener of ["pods1", "pods2"]) {
      expect(properties[`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]).toBeDefined();
    }
  });

  test("advertises the addresses of the proxies", () => {
    expect(properties["advertised.listeners"]?.split(",").slice(1)).toEqual([
      "ADMIN://127.0.0.1:41000",
      "PODS1://relay.kit.svc:41001",
      "PODS2://relay.kit.svc:41002",
    ]);
  });
});

describe("Redpanda", () => {
  const { redpanda: node } = nodeConfiguration(plan);
  const software = redpanda("redpanda:1");

  test("requires SCRAM from pods, a certificate from the administrator, and TLS from both", () => {
    expect(node.kafka_api.map(({ authentication_method: method }) => method)).toEqual([
      "mtls_identity",
      "sasl",
      "sasl",
    ]);
    expect(node.kafka_api_tls.map((tls) => [tls.enabled, tls.require_client_auth])).toEqual([
      [true, true],
      [true, false],
      [true, false],
    ]);
    const names = ["ADMIN", "PODS1", "PODS2"];
    for (const listeners of [node.kafka_api, node.advertised_kafka_api, node.kafka_api_tls]) {
      expect(listeners.map(({ name }) => name)).toEqual(names);
    }
  });

  test("advertises the addresses of the proxies", () => {
    expect(node.advertised_kafka_api[1]).toEqual({
      name: "PODS1",
      address: "relay.kit.svc",
      port: 41001,
    });
  });

  test("listens only on loopback where it has no TLS", () => {
    const inner = [node.rpc_server, node.advertised_rpc_api, ...node.admin];
    expect(inner.map(({ address }) => address)).toEqual(["127.0.0.1", "127.0.0.1", "127.0.0.1"]);
  });

  test("recognizes the administrator by the name in the certificate", () => {
    const cluster = parse(software.files(plan)["bootstrap.yaml"] ?? "");
    const [rule = ""] = cluster.kafka_mtls_principal_mapping_rules;
    const [, pattern = "", replacement] = /^RULE:(.*)\/(.*)\/$/.exec(rule) ?? [];
    expect(`CN=${ADMINISTRATOR}`.replace(new RegExp(pattern), replacement ?? "")).toBe(
      cluster.superusers[0],
    );
  });

  test("syncs acknowledged records, and starts from a copy of its configuration", () => {
    const command = software.argv.join(" ");
    expect(command).not.toMatch(/dev-container|bypass-fsync|developer/);
    expect(JSON.stringify(node)).not.toContain("developer_mode");
    expect(command).toContain("--config=/etc/redpanda/redpanda.yaml");
    expect(software.prepare).toContain("/etc/broker/redpanda.yaml /etc/redpanda/redpanda.yaml");
    expect(software.directories).toContain("/etc/redpanda");
  });
});

test("an image can be chosen, and the default one is pinned", () => {
  expect(selectSoftware("kafka", null).image).toBe(BROKER_IMAGES.kafka);
  expect(selectSoftware("redpanda", "mine:1").image).toBe("mine:1");
  for (const image of Object.values(BROKER_IMAGES)) expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
});
