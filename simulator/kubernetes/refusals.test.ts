import { readFile } from "node:fs/promises";
import type { KubernetesObject } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { CASES } from "./testing/cases.ts";
import { refusalsOf } from "./refusals.ts";

const GOLDEN = await readFile(
  new URL("../../fixtures/manifests/component.yaml", import.meta.url),
  "utf8",
);

/** Returns the rendered object of that kind. */
function rendered(kind: string): KubernetesObject {
  const objects = parseAllDocuments(GOLDEN).map((document): KubernetesObject => document.toJS());
  const found = objects.find((object) => object.kind === kind);
  if (found === undefined) throw new Error(`no ${kind} is rendered`);
  return found;
}

function changed(kind: string, path: string, value: unknown): KubernetesObject {
  const object = rendered(kind);
  const steps = path.split(".");
  const last = steps.pop() ?? "";
  const owner = steps.reduce<object>((at, step) => Reflect.get(at, step), object);
  Reflect.set(owner, last, value);
  return object;
}

test("rendered objects are accepted", () => {
  for (const kind of ["Deployment", "PersistentVolumeClaim", "ConfigMap", "ServiceAccount"]) {
    expect(refusalsOf(rendered(kind))).toEqual([]);
  }
});

describe("decides as an API server does", () => {
  test.each(CASES)("$kind $path: $value is $verdict", ({ kind, path, value, verdict }) => {
    const refusals = refusalsOf(changed(kind, path, value));
    expect(refusals.length > 0 ? "refused" : "taken").toBe(verdict);
  });
});

function ofBytes(bytes: number): object {
  return { kind: "ConfigMap", data: { "config.yaml": "é".repeat(bytes / 2) } };
}

test("a ConfigMap beyond 1 MiB is refused", () => {
  expect(refusalsOf(ofBytes(1_048_576))).toEqual([]);
  expect(refusalsOf(ofBytes(1_048_578))).toEqual([
    { path: "data", rule: "must hold at most 1048576 bytes", value: 1_048_578 },
  ]);
});

test("a refusal names path, rule and value", () => {
  const limit = "spec.template.spec.containers.0.resources.limits.memory";
  expect(refusalsOf(changed("Deployment", limit, "500Mi"))).toEqual([
    {
      path: "spec.template.spec.containers[0].resources.requests[memory]",
      rule: "must be at most the limit of 500Mi",
      value: "1Gi",
    },
  ]);
});
