import { expect, test } from "vitest";
import { clientIdOf } from "./client-id.ts";

const kafka = (clientIdPerPod: boolean) => ({ clientId: "kafka-consumer", clientIdPerPod });

test("is that of the configuration, whatever the pod is called", () => {
  expect(clientIdOf(kafka(false), { POD_NAME: "consumer-7c9-x2k" })).toBe("kafka-consumer");
  expect(clientIdOf(kafka(false), {})).toBe("kafka-consumer");
});

test("is the name of the pod where the configuration says so", () => {
  expect(clientIdOf(kafka(true), { POD_NAME: "consumer-7c9-x2k" })).toBe("consumer-7c9-x2k");
});

test.each([{}, { POD_NAME: "" }])(
  "is refused where the name of the pod is not known: %j",
  (env) => {
    expect(() => clientIdOf(kafka(true), env)).toThrow(
      "kafka.clientIdPerPod: needs the name of the pod in the variable POD_NAME, which is not set",
    );
  },
);
