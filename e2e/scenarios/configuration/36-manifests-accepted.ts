import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { CommandError, runCommand } from "#kind/command.ts";
import { applyObjects } from "#simulator/omega/apply.ts";
import { OMEGA_JOBS } from "#simulator/omega/manifests/identities.ts";
import { KDNC_COMMANDS } from "#simulator/omega/kdnc.ts";
import { brokerObjects } from "#e2e/brokers/container/broker-objects.ts";
import { selectSoftware } from "#e2e/brokers/container/select-software.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { clusterOf } from "#e2e/targets/cluster-access.ts";

const SIMULATORS = join(import.meta.dirname, "../../../simulator/main.ts");
const CONTEXT = "checked";
/**
 * Options that check the objects in the cluster of this run, which is neither the cluster of a job nor a known kind
 * cluster.
 */
const CHECKED_THERE = ["--dry-run", `--context=${CONTEXT}`, `--force-context=${CONTEXT}`];
const ACCEPTED = /: accepted by the API server, not kept$/gm;
/**
 * The number of objects of each group: Namespace, claim and ServiceAccount; ConfigMap, Deployment and budget; Secret,
 * Service and StatefulSet of a broker.
 */
const OBJECTS = 3;
const BROKERS = ["kafka", "redpanda"] as const;

export const scenario: Scenario = {
  number: 36,
  name: "manifests-accepted",
  title:
    "The API server accepts in a dry run what Omega would apply and the kit's brokers, and refuses an invalid object.",
  needs: ["api-server"],
  run: async ({ deploy, step }) => {
    const deployment = await deploy();
    const kubeconfig = await clusterOf(deployment.target).kubeconfig(CONTEXT);
    const omega = async (...argv: string[]): Promise<string> => {
      let said = "";
      await runCommand(process.execPath, [SIMULATORS, "omega", ...argv, ...CHECKED_THERE], {
        environment: { KUBECONFIG: kubeconfig },
        onLine: (line) => (said += `${line}\n`),
      });
      return said;
    };
    for (const job of OMEGA_JOBS) {
      for (const command of KDNC_COMMANDS) {
        step(`omega ${command} --job ${job} --dry-run`);
        const said = await omega(command, `--job=${job}`);
        expectEqual(said.match(ACCEPTED)?.length, OBJECTS, `objects accepted of ${command} ${job}`);
      }
    }
    for (const kind of BROKERS) {
      step(`check the objects of a broker ${kind}`);
      expectEqual(
        await acceptedOfBroker(kind, deployment, kubeconfig),
        OBJECTS,
        `objects of ${kind}`,
      );
    }
    step("check an object that no API server accepts");
    const refused = await omega("deploy-kdnc", "--job=component", "--image=").then(
      () => "",
      (error: unknown) => {
        if (error instanceof CommandError) return error.message;
        throw error;
      },
    );
    expectFault(refused !== "", "the API server took a container without an image");
    expect(
      refused.includes("Deployment kafka-consumer: refused (422)"),
      `it was refused otherwise: ${refused}`,
    );
    step("check that the deployment still works");
    await deployment.ready();
    await deployment.publish(1);
    await deployment.verify();
  },
};

/** Returns the number of the broker's objects that the API server accepts. */
async function acceptedOfBroker(
  kind: (typeof BROKERS)[number],
  { athenz, target }: TestDeployment,
  kubeconfig: string,
): Promise<number> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const plan = {
    admin: { name: "ADMIN", port: 9100, advertised: "127.0.0.1:9100" },
    podListeners: [{ name: "PODS1", port: 9101, advertised: "127.0.0.1:9101" }],
    certificate: await athenz.authority.issue({ commonName: "broker" }),
    authorityPem: athenz.authority.certificatePem,
  };
  const objects = brokerObjects(selectSoftware(kind, null), plan, clusterOf(target).namespace);
  let accepted = 0;
  await applyObjects(config, objects, {
    fieldManager: "kafka-consumer-kit",
    dryRun: true,
    onApplied: () => (accepted += 1),
  });
  return accepted;
}
