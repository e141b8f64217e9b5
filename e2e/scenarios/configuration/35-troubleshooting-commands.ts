import { expect, expectEqual } from "#e2e/errors.ts";
import { APP } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { clusterOf } from "#e2e/targets/cluster-access.ts";
import { findKubectl } from "#e2e/targets/kubectl.ts";

/** The context that the deployment guide names. */
const CONTEXT = "omega-aws.centraltech-nonprod1.use1";

export const scenario: Scenario = {
  number: 35,
  name: "troubleshooting-commands",
  title:
    "The commands of the deployment guide show pods, logs, certificates and the PVC of a running deployment.",
  needs: ["api-server"],
  run: async ({ deploy, step }) => {
    const deployment = await deploy();
    const pod = await deployment.readyPod();
    await deployment.publish(1);
    await deployment.verify();
    await throughTheApi(deployment, pod, step);
    const kubectl = await findKubectl();
    if (kubectl === null) {
      step("skip the commands of kubectl, which is not on the PATH");
      return;
    }
    const cluster = clusterOf(deployment.target);
    const kubeconfig = await cluster.kubeconfig(CONTEXT);
    // The commands are those of the guide, except for the namespace, whose dots are not allowed.
    const run = async (...argv: string[]): Promise<string> => {
      const command = ["--context", CONTEXT, "-n", cluster.namespace, ...argv];
      step(`kubectl ${command.join(" ")}`);
      return await kubectl(command, kubeconfig);
    };
    const pods = await run("get", "pods");
    expect(
      new RegExp(`^${pod} +3/3 +Running +0 `, "m").test(pods),
      `get pods shows no ${pod} that runs with three containers:\n${pods}`,
    );
    const log = await run("logs", pod, "-c", APP);
    expect(log.includes('"event":"broker.joined"'), `logs do not show that it joined:\n${log}`);
    const listing = await run("exec", pod, "-c", APP, "--", "ls", "-la", "/var/run/athenz/");
    for (const file of ["service.cert.pem", "service.key.pem", "ca.cert.pem"]) {
      expect(listing.includes(file), `ls shows no ${file}:\n${listing}`);
    }
    const claim = await run("describe", "pvc", deployment.claim);
    expect(/^Status: +Bound$/m.test(claim), `the claim is not bound:\n${claim}`);
    expect(/^Access Modes: +RWX$/m.test(claim), `the claim is not RWX:\n${claim}`);
    expect(claim.includes(pod), `describe does not say that ${pod} uses it:\n${claim}`);
  },
};

/** Reads the same information without kubectl. */
async function throughTheApi(
  deployment: TestDeployment,
  pod: string,
  step: (text: string) => void,
): Promise<void> {
  step("read pods, log, certificates and claim through the API");
  const seen = deployment.target.lastSeen(pod);
  expectEqual(seen?.status?.phase, "Running", "phase of the pod");
  const log = await deployment.target.logs(pod, APP);
  expect(log.includes('"event":"broker.joined"'), `the log does not show that it joined:\n${log}`);
  const { exitCode, stdout } = await deployment.target.exec(pod, APP, [
    "ls",
    "-la",
    "/var/run/athenz/",
  ]);
  expectEqual(exitCode, 0, "exit code of ls");
  expect(stdout.includes("service.cert.pem"), `ls shows no certificate:\n${stdout}`);
  const { spec, status } = await clusterOf(deployment.target).claim(deployment.claim);
  expectEqual(status?.phase, "Bound", "phase of the claim");
  expectEqual(spec?.accessModes?.join(), "ReadWriteMany", "access modes of the claim");
  expectEqual(spec?.storageClassName, "efs-default", "storage class of the claim");
}
