import type { V1Pod } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { drainNode } from "./drain-node.ts";
import type { ClusterAccess, Eviction } from "./cluster-access.ts";

const REFUSED: Eviction = { status: 429, message: "no room" };
const ACCEPTED: Eviction = { status: 201, message: "" };

const pod = (name: string, nodeName: string): V1Pod => ({
  metadata: { name },
  spec: { nodeName, containers: [] },
});

/** Returns a target whose evicted pods are gone the next time they are listed. */
function fakeTarget(pods: V1Pod[], answers: readonly Eviction[]) {
  const left = [...answers];
  const evict = async (name: string): Promise<Eviction> => {
    const answer = left.shift() ?? REFUSED;
    if (answer.status === 201) {
      pods.splice(0, pods.length, ...pods.filter((one) => one.metadata?.name !== name));
    }
    return answer;
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { cluster: { evict } as unknown as ClusterAccess, pods: async () => [...pods] };
}

const options = { timeoutMs: 40, signal: new AbortController().signal, askAgainMs: 1 };

test("requests a refused eviction again, and leaves other nodes alone", async () => {
  const pods = [pod("a", "here"), pod("b", "there")];
  const drained = await drainNode(fakeTarget(pods, [REFUSED, REFUSED, ACCEPTED]), "here", {
    ...options,
    timeoutMs: 60_000,
  });
  expect(drained.left).toEqual([]);
  expect(drained.answers.map(({ pod: name, status }) => [name, status])).toEqual([
    ["a", 429],
    ["a", 429],
    ["a", 201],
  ]);
  expect(pods).toEqual([pod("b", "there")]);
});

test("a pod that is not scheduled yet is left alone", async () => {
  const pending: V1Pod = { metadata: { name: "b" }, spec: { containers: [] } };
  const target = fakeTarget([pod("a", "here"), pending], [ACCEPTED]);
  const { answers, left } = await drainNode(target, "here", { ...options, timeoutMs: 60_000 });
  expect(answers.map(({ pod: name }) => name)).toEqual(["a"]);
  expect(left).toEqual([]);
});

test("gives up at its timeout and returns the remaining pods", async () => {
  const { answers, left } = await drainNode(fakeTarget([pod("a", "here")], []), "here", options);
  expect(left).toEqual(["a"]);
  expect(answers.length).toBeGreaterThan(0);
  expect(answers.every(({ status, message }) => status === 429 && message === "no room")).toBe(
    true,
  );
});

test("a terminating pod is not evicted again", async () => {
  const ending = pod("a", "here");
  ending.metadata = { name: "a", deletionTimestamp: new Date(0) };
  const { answers, left } = await drainNode(fakeTarget([ending], [ACCEPTED]), "here", options);
  expect([answers, left]).toEqual([[], ["a"]]);
});

test("throws for a target that is not a cluster", async () => {
  const target = { cluster: null, pods: async () => [] };
  await expect(drainNode(target, "here", options)).rejects.toThrow(
    "must name the ability in `needs`",
  );
});
