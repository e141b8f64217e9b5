import type { V1Pod } from "@kubernetes/client-node";
import { z } from "zod";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { lastTermination, podName } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";

const KEYS = 10_000;
const RACERS = ["racer-1", "racer-2"];
const RACER_LABEL = "kafka-consumer.kit/race";
const MOUNT = "/volume";
/** The fewest claims that each racer must win. A racer that wins nearly all of them may have run alone. */
const WON_MIN = KEYS / 100;

/**
 * This is a scenario and not a test of the cluster's volumes, so that it checks the file server of any cluster that
 * scenarios run on.
 */
export const scenario: Scenario = {
  number: 30,
  name: "claim-race-on-two-nodes",
  title: `Two pods on two nodes race for ${KEYS} claims on one volume: each has exactly one winner.`,
  needs: ["api-server"],
  timeoutMs: ({ scenarioMsMax }) => 2 * scenarioMsMax,
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy();
    step(`race for ${KEYS} claims`);
    await deployment.target.apply(RACERS.map((racer) => racerPod(racer, deployment)));
    const ended = await Promise.all(
      RACERS.map((racer) => untilEnded(racer, deployment, durations.scenarioMsMax)),
    );
    const results = await Promise.all(RACERS.map((racer) => resultOf(racer, deployment)));
    const [first, second] = results;
    if (first === undefined || second === undefined) throw new TypeError("two racers");
    const nodes = new Set(ended.map((pod) => pod.spec?.nodeName));
    expectFault(nodes.size === 2, `both racers ran on ${[...nodes].join(", ")}`);
    const togetherMs =
      Math.min(first.endMs, second.endMs) - Math.max(first.startMs, second.startMs);
    expectFault(togetherMs > 0, "one racer had ended before the other one began");
    const [mine, theirs] = [bitsOf(first.linked), bitsOf(second.linked)];
    step(`${count(mine)} claims against ${count(theirs)}, ${togetherMs} ms at the same time`);
    expectFault(
      Math.min(count(mine), count(theirs)) >= WON_MIN,
      `${count(mine)} to ${count(theirs)}: that was no race`,
    );
    const winners = mine.map((bit, index) => bit + (theirs[index] ?? 0));
    const wrong = winners.filter((number) => number !== 1).length;
    expectEqual(wrong, 0, `keys of ${KEYS} that have no winner, or two`);
    for (const { racer, linked, owned } of results) {
      expect(linked === owned, `${racer} finds other claims of its own than it was told it linked`);
    }
    step("check that the consumer handles an incident");
    await deployment.ready();
    await deployment.publish(2);
    await deployment.verify();
  },
};

const resultSchema = z.object({
  racer: z.string(),
  startMs: z.number(),
  endMs: z.number(),
  linked: z.string(),
  owned: z.string(),
});

async function resultOf(
  racer: string,
  deployment: TestDeployment,
): Promise<z.infer<typeof resultSchema>> {
  const log = await deployment.target.logs(racer, racer);
  return resultSchema.parse(JSON.parse(log.trim().split("\n").at(-1) ?? ""));
}

async function untilEnded(
  racer: string,
  deployment: TestDeployment,
  deadlineMs: number,
): Promise<V1Pod> {
  const pod = await deployment.until(
    `${racer} ends`,
    async () => {
      const seen = (await deployment.target.pods()).find((one) => podName(one) === racer);
      return seen && lastTermination(seen, racer) && seen;
    },
    { deadlineMs },
  );
  expectEqual(lastTermination(pod, racer)?.exitCode, 0, `exit code of ${racer}`);
  return pod;
}

/** Decodes the first KEYS bits, the lowest bit of each byte first. */
function bitsOf(hexadecimal: string): number[] {
  const bytes = Buffer.from(hexadecimal, "hex");
  return Array.from({ length: KEYS }, (_, index) => ((bytes[index >> 3] ?? 0) >> (index & 7)) & 1);
}

function count(bits: readonly number[]): number {
  return bits.reduce((sum, bit) => sum + bit, 0);
}

/**
 * Returns a pod that runs like the app: as the same user, on the same volume, beside the app's files. No two racers run
 * on one node.
 */
function racerPod(racer: string, deployment: TestDeployment): V1Pod {
  const others = RACERS.filter((other) => other !== racer);
  const labels = { [RACER_LABEL]: "racer" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: racer, labels },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsUser: 10001, runAsGroup: 10001, runAsNonRoot: true },
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: labels }, topologyKey: "kubernetes.io/hostname" },
          ],
        },
      },
      containers: [
        {
          name: racer,
          image: deployment.simulatorsImage,
          args: [
            "claim-race",
            `--directory=${MOUNT}/claim-race`,
            `--racer=${racer}`,
            ...others.map((other) => `--against=${other}`),
            `--keys=${KEYS}`,
          ],
          resources: { requests: { cpu: "50m", memory: "96Mi" } },
          volumeMounts: [{ name: "claim", mountPath: MOUNT }],
        },
      ],
      volumes: [{ name: "claim", persistentVolumeClaim: { claimName: deployment.claim } }],
    },
  };
}
