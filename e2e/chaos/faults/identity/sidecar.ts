import { X509Certificate } from "node:crypto";
import type { IssueEvent } from "#simulator/athenz/zts.ts";
import { APP, isTerminating, podName } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import { whileRunning } from "#e2e/chaos/faults/pod/app-container.ts";

const SIDECAR = "identity";
const DIRECTORY = "/var/run/athenz";

/** The files that the sidecar writes. */
export const IDENTITY_FILES = {
  certificate: `${DIRECTORY}/service.cert.pem`,
  key: `${DIRECTORY}/service.key.pem`,
} as const;

/**
 * The identity sidecar of a pod, and what ZTS has recorded about it since this object was created.
 */
export class IdentitySidecar {
  /** The id by which ZTS knows the pod. */
  readonly instanceId: string;
  readonly #deployment: TestDeployment;
  readonly #pod: string;
  readonly #since: number;

  private constructor(deployment: TestDeployment, pod: string, instanceId: string) {
    this.instanceId = instanceId;
    this.#deployment = deployment;
    this.#pod = pod;
    this.#since = deployment.athenz.zts.events().length;
  }

  /**
   * Waits until a starting pod has its first certificate: only that can be replaced, and its
   * sidecar does not handle signals before. Throws FaultImpossibleError when the pod is gone or
   * terminating, or another fault keeps the certificate from it.
   */
  static async of(deployment: TestDeployment, pod: string): Promise<IdentitySidecar> {
    const present = (await deployment.target.pods()).find((one) => podName(one) === pod);
    const uid = present?.metadata?.uid;
    if (present === undefined || uid === undefined || isTerminating(present)) throw goingAway(pod);
    await deployment.until(`pod ${pod} has its first certificate`, async () => {
      const sidecar = new IdentitySidecar(deployment, pod, uid);
      await sidecar.#requirePresent();
      if ((await sidecar.exec("test", "-s", IDENTITY_FILES.key)).exitCode === 0) return true;
      const asked = deployment.athenz.zts.events().findLast(({ instanceId }) => instanceId === uid);
      if (asked?.type === "withheld") throw keptFrom(pod, asked);
      return false;
    });
    return new IdentitySidecar(deployment, pod, uid);
  }

  /** Returns the results of the pod's requests for certificates. */
  events(): readonly IssueEvent[] {
    const events = this.#deployment.athenz.zts.events().slice(this.#since);
    return events.filter(({ instanceId }) => instanceId === this.instanceId);
  }

  /**
   * Makes the sidecar ask for a certificate now. Throws FaultImpossibleError when the pod is
   * terminating.
   */
  async ask(): Promise<void> {
    try {
      await this.#deployment.target.kill(this.#pod, SIDECAR, "SIGHUP");
    } catch (error) {
      if (await this.#isPresent()) throw error;
      throw goingAway(this.#pod);
    }
  }

  /** Makes the sidecar ask once more. A pod that ends meanwhile needs no certificate. */
  async askAgain(): Promise<void> {
    if (!(await this.#isPresent())) return;
    try {
      await this.ask();
    } catch (error) {
      if (!(error instanceof FaultImpossibleError)) throw error;
    }
  }

  /**
   * Makes the sidecar ask, and waits until an expected answer is in its file: a request may be
   * under way already, and the next answer may replace it at once. Throws FaultImpossibleError when
   * another fault keeps the certificate from the pod, or the pod is terminating.
   */
  async askAndWait(isExpected: (issued: IssueEvent) => boolean = () => true): Promise<IssueEvent> {
    await this.ask();
    return await this.#deployment.until("the next certificate is issued and written", async () => {
      await this.#requirePresent();
      const events = this.events();
      const withheld = events.find(({ type }) => type === "withheld");
      if (withheld !== undefined) throw keptFrom(this.#pod, withheld);
      const issued = events.filter((one) => one.serialNumber !== undefined && isExpected(one));
      if (issued.length === 0) return undefined;
      const { exitCode, stdout } = await this.exec("cat", IDENTITY_FILES.certificate);
      if (exitCode !== 0) return undefined;
      const { serialNumber } = new X509Certificate(stdout);
      return issued.find((one) => one.serialNumber === serialNumber);
    });
  }

  async exec(...argv: readonly string[]): ReturnType<TestDeployment["target"]["exec"]> {
    return await this.#deployment.target.exec(this.#pod, SIDECAR, argv);
  }

  /**
   * Ends the consumer's container by SIGKILL. The kubelet starts it again, and the consumer then
   * asks CKMS for its secret with the identity that it finds. A container that is not running is
   * being started anyway.
   */
  async startConsumerAgain(): Promise<void> {
    const { target } = this.#deployment;
    await whileRunning(this.#deployment, this.#pod, () => target.kill(this.#pod, APP, "SIGKILL"));
  }

  async #requirePresent(): Promise<void> {
    if (!(await this.#isPresent())) throw goingAway(this.#pod);
  }

  async #isPresent(): Promise<boolean> {
    const present = (await this.#deployment.target.pods()).find(
      (one) => podName(one) === this.#pod,
    );
    return present !== undefined && !isTerminating(present);
  }
}

function keptFrom(pod: string, { reason = "withheld" }: IssueEvent): FaultImpossibleError {
  return new FaultImpossibleError(`pod ${pod} gets no certificate now: ${reason}`);
}

function goingAway(pod: string): FaultImpossibleError {
  return new FaultImpossibleError(`pod ${pod} is terminating: it gets no certificate any more`);
}
