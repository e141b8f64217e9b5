import { expect, test } from "vitest";
import { pod } from "#simulator/kubelet/testing/cluster-fixture.ts";
import { UnsupportedObjectError } from "#simulator/kubelet/errors.ts";
import { validateObjects } from "./validation.ts";

function faultsOf(object: object): readonly string[] {
  try {
    // The object has any shape, as if parsed from a file.
    validateObjects([JSON.parse(JSON.stringify(object))]);
  } catch (error) {
    if (error instanceof UnsupportedObjectError) {
      return error.faults;
    }
    throw error;
  }
  return [];
}

function withSpec(fields: object): object {
  const spec = { containers: [{ name: "a", image: "i" }], ...fields };
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec };
}

function withContainer(fields: object): object {
  return pod("p", { containers: [{ name: "a", image: "i", ...fields }] });
}

test.each([
  [
    { apiVersion: "v1", kind: "Service", metadata: { name: "s" } },
    "Service/s kind: not implemented",
  ],
  [withSpec({ hostNetwork: true }), "Pod/p spec.hostNetwork: not implemented"],
  [withContainer({ stdin: true }), "Pod/p spec.containers[0].stdin: not implemented"],
  [
    withContainer({ restartPolicy: "Always" }),
    "Pod/p spec.containers[0].restartPolicy: not implemented",
  ],
  [
    withContainer({ ports: [{ containerPort: 80, hostPort: 80 }] }),
    "Pod/p spec.containers[0].ports[0].hostPort: not implemented",
  ],
  [
    withContainer({ livenessProbe: { grpc: { port: 1 } } }),
    "Pod/p spec.containers[0].livenessProbe.grpc: not implemented",
  ],
  [
    withContainer({ livenessProbe: { exec: { command: ["x"] }, successThreshold: 2 } }),
    "Pod/p spec.containers[0].livenessProbe.successThreshold: must be 1 for liveness and startup",
  ],
  [
    withContainer({ volumeMounts: [{ name: "v", mountPath: "/v", subPath: "x" }] }),
    "Pod/p spec.containers[0].volumeMounts[0].subPath: not implemented",
  ],
  [
    withContainer({ volumeMounts: [{ name: "v", mountPath: "/v" }] }),
    'Pod/p spec.containers[0].volumeMounts[0].name: no volume "v"',
  ],
  [
    withContainer({ env: [{ name: "X", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] }),
    "Pod/p spec.containers[0].env[0].valueFrom.secretKeyRef: not implemented",
  ],
  [
    pod("p", { volumes: [{ name: "v", projected: {} }] }),
    "Pod/p spec.volumes[0].projected: not implemented",
  ],
  [
    withContainer({ readinessProbe: { httpGet: { port: "http" } } }),
    'Pod/p spec.containers[0].readinessProbe.httpGet.port: no port named "http"',
  ],
  [pod("Not_A_Name"), "Pod/Not_A_Name metadata.name: not a DNS subdomain name"],
])("an unimplemented field is refused with its path: %#", (object, fault) => {
  expect(faultsOf(object).join("\n")).toContain(fault);
});

function deployment(rollingUpdate: object): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d" },
    spec: {
      selector: { matchLabels: { app: "d" } },
      strategy: { type: "RollingUpdate", rollingUpdate },
      template: {
        metadata: { labels: { app: "d" } },
        spec: { containers: [{ name: "a", image: "i" }] },
      },
    },
  };
}

test.each([
  [
    withContainer({ resources: { limits: { memory: "500K" } } }),
    "Pod/p spec.containers[0].resources.limits[memory]: must be a quantity such as 500m, 2Gi or 129e6, got 500K",
  ],
  [
    withContainer({ resources: { limits: { cpu: "1" }, requests: { cpu: "1001m" } } }),
    "Pod/p spec.containers[0].resources.requests[cpu]: must be at most the limit of 1, got 1001m",
  ],
  [
    deployment({ maxSurge: 0, maxUnavailable: "0%" }),
    "Deployment/d spec.strategy.rollingUpdate.maxUnavailable: must not be 0",
  ],
])("a value that an API server refuses is refused with its path: %#", (object, fault) => {
  expect(faultsOf(object).join("\n")).toContain(fault);
});

test("a period may be a fraction of a second here", () => {
  const readinessProbe = { exec: { command: ["true"] }, periodSeconds: 0.25 };
  expect(faultsOf(withContainer({ readinessProbe }))).toEqual([]);
});

test("all faults of all objects are reported at once", () => {
  expect(faultsOf(withSpec({ hostNetwork: true, hostPID: true }))).toHaveLength(2);
});

test("fields without effect are accepted and reported; the same words in labels are not", () => {
  const object = pod("p", {
    securityContext: { runAsUser: 10_001 },
    containers: [
      { name: "a", image: "i", securityContext: { readOnlyRootFilesystem: true }, resources: {} },
    ],
  });
  object.metadata = { name: "p", labels: { resources: "x" } };
  expect(validateObjects([object]).deviations).toEqual([
    "Pod/p spec.containers[0].resources",
    "Pod/p spec.containers[0].securityContext",
    "Pod/p spec.securityContext",
  ]);
});
