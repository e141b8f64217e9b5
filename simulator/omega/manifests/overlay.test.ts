import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readDeployTarget } from "#simulator/omega/deploy-target.ts";
import { deploymentOf } from "./objects.ts";
import {
  DURATIONS_ANNOTATION,
  MEMORY_LIMIT_ANNOTATION,
  REQUESTS_ANNOTATION,
  setMemoryLimit,
  withDurations,
  withRequests,
} from "./overlay.ts";
import { renderOmega } from "./render.ts";

const target = await readDeployTarget(
  fileURLToPath(new URL("../../../deploy_target/", import.meta.url)),
  "component",
);
const rendered = renderOmega({
  ...target,
  configFiles: { "config.yaml": "" },
  image: "image",
  site: { identity: { image: "identity" }, splunk: { image: "splunk" } },
});

test("replaces durations in a copy and records what they were", () => {
  const before = structuredClone(rendered);
  const short = deploymentOf(
    withDurations(rendered, {
      certWaitSeconds: 2,
      terminationGracePeriodSeconds: 5,
      probePeriodSeconds: 0.2,
      startupFailureThreshold: 20,
    }),
  );
  const pod = short.spec.template.spec;
  expect(rendered).toEqual(before);
  expect(pod?.terminationGracePeriodSeconds).toBe(5);
  expect(pod?.containers[0]).toMatchObject({
    startupProbe: { periodSeconds: 0.2, failureThreshold: 20 },
    livenessProbe: { periodSeconds: 0.2, failureThreshold: 3 },
    readinessProbe: { periodSeconds: 0.2, failureThreshold: 2 },
  });
  expect(pod?.containers[0]?.env).toContainEqual({ name: "CERT_WAIT_SECONDS", value: "2" });
  expect(JSON.parse(short.metadata.annotations?.[DURATIONS_ANNOTATION] ?? "")).toEqual({
    CERT_WAIT_SECONDS: { from: "300", to: 2 },
    "pod.terminationGracePeriodSeconds": { from: 90, to: 5 },
    "startupProbe.periodSeconds": { from: 5, to: 0.2 },
    "startupProbe.failureThreshold": { from: 72, to: 20 },
    "livenessProbe.periodSeconds": { from: 10, to: 0.2 },
    "readinessProbe.periodSeconds": { from: 5, to: 0.2 },
  });
});

test("leaves the pod template as it is when no duration is given", () => {
  expect(deploymentOf(withDurations(rendered, {})).spec).toEqual(deploymentOf(rendered).spec);
});

test("refuses to shorten a missing duration, instead of running long", () => {
  const objects = structuredClone(rendered);
  const app = deploymentOf(objects).spec.template.spec?.containers[0];
  if (app?.env) app.env = app.env.filter(({ name }) => name !== "CERT_WAIT_SECONDS");
  expect(() => withDurations(objects, { certWaitSeconds: 1 })).toThrow(
    "app has no variable CERT_WAIT_SECONDS",
  );
});

test.each(["1m", "sixty", "0", "-5"])(
  "refuses to replace a value that is no number of seconds: %s",
  (value) => {
    const objects = structuredClone(rendered);
    const app = deploymentOf(objects).spec.template.spec?.containers[0];
    const variable = app?.env?.find(({ name }) => name === "PRESTOP_TIMEOUT_SECONDS");
    if (variable !== undefined) variable.value = value;
    expect(() => withDurations(objects, { prestopTimeoutSeconds: 8 })).toThrow(
      `PRESTOP_TIMEOUT_SECONDS must be a number of seconds, and is ${value}`,
    );
  },
);

test("replaces the app's resource requests in a copy, records them, and leaves the limits", () => {
  const before = structuredClone(rendered);
  const small = deploymentOf(withRequests(rendered, { cpu: "50m", memory: "96Mi" }));
  expect(rendered).toEqual(before);
  expect(small.spec.template.spec?.containers[0]?.resources).toEqual({
    limits: { memory: "2Gi" },
    requests: { cpu: "50m", memory: "96Mi" },
  });
  expect(JSON.parse(small.metadata.annotations?.[REQUESTS_ANNOTATION] ?? "")).toEqual({
    cpu: { from: "500m", to: "50m" },
    memory: { from: "1Gi", to: "96Mi" },
  });
});

test("replaces the memory limit of the app, records it, and leaves the requests", () => {
  const deployment = deploymentOf(structuredClone(rendered));
  setMemoryLimit(deployment, "384Mi");
  expect(deployment.spec.template.spec?.containers[0]?.resources).toEqual({
    limits: { memory: "384Mi" },
    requests: { cpu: "500m", memory: "1Gi" },
  });
  const recorded = deployment.metadata.annotations?.[MEMORY_LIMIT_ANNOTATION] ?? "";
  expect(JSON.parse(recorded)).toEqual({ from: "2Gi", to: "384Mi" });
});
