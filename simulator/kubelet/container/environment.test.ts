import { expect, test } from "vitest";
import { buildEnvironment, expand, MissingConfigError } from "./environment.ts";
import type { EnvironmentSources } from "./environment.ts";
import { PathTable } from "./path-table.ts";
import { PodPorts } from "#simulator/kubelet/pod/pod-ports.ts";
import { SUPPORTED_KINDS } from "#simulator/kubelet/validation/supported-objects.ts";
import type { ContainerSpec } from "#simulator/kubelet/validation/supported-pod.ts";

function containerWith(env: object[]): ContainerSpec {
  const parsed = SUPPORTED_KINDS.Pod.parse({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { containers: [{ name: "a", image: "i", env }] },
  });
  const [first] = parsed.spec.containers;
  if (first === undefined) {
    throw new Error("no container");
  }
  return first;
}

function sources(env: object[], fields: Partial<EnvironmentSources> = {}): EnvironmentSources {
  return {
    container: containerWith(env),
    image: { name: "i" },
    paths: new PathTable([["/data", "/host/data"]]),
    mountinfoPath: "/host/mountinfo",
    ports: new PodPorts(),
    podName: "p",
    field: (path) => `<${path}>`,
    configMap: () => undefined,
    ...fields,
  };
}

test("paths of the image's table and of the manifest become host paths; the manifest wins", () => {
  const env = buildEnvironment(
    sources(
      [
        { name: "B", value: "/data/b" },
        { name: "C", value: "/data/c" },
      ],
      {
        image: {
          name: "i",
          pathVariables: { A: "/data/a", B: "/data/other" },
          env: { D: "/data/d" },
        },
      },
    ),
  );
  expect(env).toMatchObject({
    A: "/host/data/a",
    B: "/host/data/b",
    C: "/host/data/c",
    D: "/data/d",
  });
});

test("a variable of the port table receives the leased port, even if the manifest has the container's", async () => {
  using ports = new PodPorts();
  const image = { name: "i", portVariables: { HEALTH_PORT: 8080, OTHER: 9090 } };
  const container = containerWith([{ name: "HEALTH_PORT", value: "8080" }]);
  const spec = SUPPORTED_KINDS.Pod.shape.spec.parse({ containers: [{ name: "a", image: "i" }] });
  await ports.lease({ ...spec, containers: [container] }, () => image);
  const env = buildEnvironment(sources([], { container, image, ports }));
  expect(env["HEALTH_PORT"]).toBe(String(ports.hostPort(8080)));
  expect(env["OTHER"]).toBe(String(ports.hostPort(9090)));
  expect(new Set([8080, 9090, ports.hostPort(8080), ports.hostPort(9090)]).size).toBe(4);
});

test("variables come from the downward API and from ConfigMap keys, and a required key may be missing", () => {
  const reference = { configMapKeyRef: { name: "m", key: "k" } };
  const fieldRef = { fieldRef: { fieldPath: "metadata.name" } };
  const given = [
    { name: "POD", valueFrom: fieldRef },
    { name: "K", valueFrom: reference },
  ];
  const configMap = SUPPORTED_KINDS.ConfigMap.parse({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "m" },
    data: { k: "v" },
  });
  expect(buildEnvironment(sources(given, { configMap: () => configMap }))).toMatchObject({
    POD: "<metadata.name>",
    K: "v",
  });
  expect(() => buildEnvironment(sources(given))).toThrow(MissingConfigError);
});

test.each([
  ["$(A)/x", "a/x"],
  ["$(UNKNOWN)", "$(UNKNOWN)"],
  ["$$(A)", "$(A)"],
  ["$A", "$A"],
])("%s expands to %s", (text, expanded) => {
  expect(expand(text, { A: "a" })).toBe(expanded);
});
