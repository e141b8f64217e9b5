import { expect, test } from "vitest";
import { hostsToFillIn } from "./hosts-to-fill-in.ts";

const configuration = (broker: string, ckms: string, action: string): string => `version: 1
kafka:
  brokers: ["${broker}:9093"]
  groupId: g
  topics: [t]
  deadLetterTopic: d
  sasl: { username: u, passwordSecret: s }
ckms: { url: "https://${ckms}:4443", keyGroup: k }
rules:
  - name: r
    actions: [{ name: a, type: http, url: "https://${action}/x/{{incident.id}}" }]
`;

test("every host with a name that never exists is named, once, in a warning", () => {
  const content = configuration(
    "kafka.fill-in.invalid",
    "ckms.example.com",
    "kafka.fill-in.invalid",
  );
  expect(hostsToFillIn("component", content)).toEqual([
    {
      rule: "host-to-fill-in",
      place: "component",
      subject: "ckms.example.com, kafka.fill-in.invalid",
      message:
        "the configuration names hosts that do not exist, fill them in: ckms.example.com, kafka.fill-in.invalid",
      isWarning: true,
    },
  ]);
});

test("hosts that may exist are not named, nor those of a configuration that is wrong or absent", () => {
  const real = configuration("kafka.yahooinc.com", "ckms.testing.net", "invalid.yahooinc.com");
  expect(hostsToFillIn("component", real)).toEqual([]);
  expect(hostsToFillIn("component", "version: 7")).toEqual([]);
  expect(hostsToFillIn("component", undefined)).toEqual([]);
});
