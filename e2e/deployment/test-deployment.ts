import { CLAIMS_DIRECTORY } from "#consumer/history/base/layout.ts";
import { randomBytes } from "node:crypto";
import type { V1Pod } from "@kubernetes/client-node";
import type { Authority } from "#fixtures/certificates.ts";
import { configuration } from "#fixtures/configurations.ts";
import type { BrokerNames, Configuration } from "#fixtures/configurations.ts";
import { deploymentOf } from "#simulator/omega/manifests/objects.ts";
import type { Durations as PodDurations } from "#simulator/omega/manifests/overlay.ts";
import type { Site } from "#simulator/omega/manifests/site.ts";
import type { Effect } from "#simulator/action-endpoint/ledger.ts";
import type { Broker, Position, StoredRecord } from "#e2e/brokers/broker.ts";
import type { BrokerProvider } from "#e2e/brokers/broker-provider.ts";
import { expectedActions } from "#e2e/checkers/collect/expected-actions.ts";
import { KitRecord } from "#e2e/checkers/collect/kit-record.ts";
import type { PlannedRecord } from "#e2e/checkers/collect/kit-record.ts";
import { CONTRACT_FILE, ContractFileWatch } from "#e2e/checkers/check-contract-file.ts";
import { readHistoryFiles } from "#e2e/checkers/history-files.ts";
import type { HistoryEvent, Mark } from "#e2e/checkers/history-event.ts";
import type { HistoryFiles } from "#e2e/checkers/history-files.ts";
import { checkOffsets } from "#e2e/checkers/check-offsets.ts";
import type { PodFaults } from "#e2e/chaos/in-pod/pod-faults.ts";
import type { Durations } from "#e2e/base/durations.ts";
import { ExpectationError, expect } from "#e2e/errors.ts";
import type { Tell } from "#e2e/base/events.ts";
import { createIncident } from "./incidents.ts";
import type { PublishedIncident } from "./incidents.ts";
import { findViolations, progressOf } from "./find-violations.ts";
import { historyClaimOf, renderManifests, unreadyMsOf } from "./manifests.ts";
import { APP, isReady, isTerminating, podName } from "#e2e/targets/pods.ts";
import { describeTrouble } from "./pod-trouble.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import { memoryFaultEnvironment } from "#e2e/targets/memory-fault.ts";
import type { Platform } from "#e2e/targets/platform.ts";
import type { Target } from "#e2e/targets/target.ts";
import { until } from "#e2e/base/waiting.ts";
import type { Services } from "./services.ts";

const IDENTITY_KEY = "/var/run/athenz/service.key.pem";

/** What differs from one healthy pod that is granted everything. */
export interface DeploymentOptions {
  /** Default 1. */
  readonly replicas?: number;
  /** Partitions of the topic of incidents. Default 2. */
  readonly partitions?: number;
  /** Nodes of the broker. Default 1. */
  readonly brokerNodes?: number;
  /** Before the identity sidecar asks for the first certificate. Default 0. */
  readonly certificateDelaySeconds?: number;
  /** No certificate is ever issued. Default false. */
  readonly certificatesWithheld?: boolean;
  /** Whether CKMS gives the identity its secret from the start. Default true. */
  readonly granted?: boolean;
  /** Actions are sent with the Athenz identity. Default false. */
  readonly mutualTls?: boolean;
  /** Over the run's own; a duration of the pod spec. */
  readonly pod?: PodDurations;
  /** Changes the document of config.yaml. */
  readonly configure?: (document: Configuration) => Readonly<Record<string, unknown>>;
  /** False leaves the history volume out of the pod. Default true. */
  readonly historyVolume?: boolean;
  /** Faults act inside the processes of the pods: `podFaults` of the deployment, and what rests on it. Default false. */
  readonly podFaults?: boolean;
  /** `exhaustMemory` works on the pods. Default false. */
  readonly memoryFaults?: boolean;
  /** Of Node, for the app. Default: none. */
  readonly nodeOptions?: string;
  /** Of the app, a quantity. Default: that of production. */
  readonly memoryLimit?: string;
}

/** What a run gives to every deployment. */
export interface DeploymentEnvironment {
  /** Receives what belongs to this deployment alone; must exist. */
  readonly directory: string;
  readonly platform: Platform;
  readonly brokers: BrokerProvider;
  /** Signs the certificates of every server. */
  readonly authority: Authority;
  /** As platform and broker allow them. */
  readonly durations: Durations;
  readonly realTime: boolean;
  readonly random: SeededRandom;
  readonly signal: AbortSignal;
  readonly tell: Tell;
}

/**
 * The application under test, deployed to a target, and the services that it talks to. Waits are bounded by `durations.stepMsMax` and end with
 * the scenario's signal.
 */
export class TestDeployment implements AsyncDisposable {
  readonly target: Target;
  readonly athenz: Services["athenz"];
  readonly ckms: Services["ckms"];
  readonly broker: Broker;
  /** What pods are told of the broker. */
  readonly names: BrokerNames;
  readonly actions: Services["actions"]["control"];
  readonly collector: Services["collector"];
  readonly published: PublishedIncident[] = [];
  /** What the kit did, for the history of the run. */
  readonly record = new KitRecord();
  readonly #services: Services;
  readonly #options: DeploymentOptions;
  readonly #environment: DeploymentEnvironment;
  readonly #stack: AsyncDisposableStack;
  readonly #fresh = new Map<string, string>();
  #claim = "";
  #name = "";
  #unreadyMs = 0;
  #contractFile: ContractFileWatch | null = null;
  /** Of the last deployment. */
  #document: unknown;

  constructor(
    services: Services,
    target: Target,
    stack: AsyncDisposableStack,
    options: DeploymentOptions,
    environment: DeploymentEnvironment,
  ) {
    this.target = target;
    this.#services = services;
    this.#stack = stack;
    this.#options = options;
    this.#environment = environment;
    this.athenz = services.athenz;
    this.ckms = services.ckms;
    this.broker = services.broker;
    this.names = services.names;
    this.actions = services.actions.control;
    this.collector = services.collector;
  }

  /** Pods that are wanted from the start. */
  get replicas(): number {
    return this.#options.replicas ?? 1;
  }

  /** Of the sidecars, and of whatever else of the kit runs beside the pods of a cluster. */
  get simulatorsImage(): string {
    return this.#environment.platform.sidecars.identity.image;
  }

  /** How long it may take on a busy machine until a pod that says that it is not ready is taken for not ready. */
  get unreadyMsMax(): number {
    return this.#unreadyMs + this.#environment.durations.viewLateMsMax;
  }

  /** Name of the Deployment. */
  get name(): string {
    return this.#name;
  }

  /** What acts inside the processes of the pods; they must have been started with `podFaults`. */
  get podFaults(): PodFaults {
    const { podFaults } = this.#services;
    if (podFaults === null) throw new Error("the deployment was opened without `podFaults: true`");
    return podFaults;
  }

  /** Name of the claim that holds the history. */
  get claim(): string {
    return this.#claim;
  }

  /** Name -> value of what must not appear in any artifact, as far as it can be learned now. */
  async secrets(): Promise<ReadonlyMap<string, string>> {
    const secrets = new Map([...this.#services.secrets, ...this.#fresh]);
    for (const pod of await this.target.pods()) {
      const name = podName(pod);
      try {
        const read = await this.target.exec(name, "identity", ["cat", IDENTITY_KEY]);
        if (read.exitCode === 0) secrets.set(`private key of ${name}`, read.stdout);
      } catch {
        // A container that does not run has no key to leak any more.
      }
    }
    return secrets;
  }

  /** A random value that no artifact may show. */
  freshSecret(name: string): string {
    const value = randomBytes(24).toString("base64url");
    this.#fresh.set(name, value);
    return value;
  }

  /** Renders and applies. Called again, it updates the Deployment with another configuration. */
  async apply(configure = this.#options.configure): Promise<void> {
    const { platform, durations } = this.#environment;
    const document = configuration({
      brokers: this.broker.bootstrap,
      names: this.names,
      ckmsUrl: this.#services.addresses.ckms,
      actionUrl: this.#services.addresses.actions,
      useIdentity: this.#options.mutualTls ?? false,
      durations: durations.consumer,
    });
    const configured = configure?.(document) ?? document;
    const objects = await renderManifests({
      image: platform.image,
      requests: platform.requests,
      site: this.#site(),
      configuration: configured,
      replicas: this.replicas,
      durations: { ...durations.pod, ...this.#options.pod },
      memoryLimit: this.#options.memoryLimit,
      historyVolume: this.#options.historyVolume ?? true,
    });
    this.#claim = historyClaimOf(objects);
    this.#name = deploymentOf(objects).metadata.name;
    this.#unreadyMs = unreadyMsOf(objects);
    await this.target.apply(objects);
    this.#document = configured;
    this.#contractFile ??= this.#stack.use(
      new ContractFileWatch(() => this.target.readVolume(this.#claim, CONTRACT_FILE), {
        intervalMs: durations.lookIntervalMs,
        // Beside the interval, what a busy machine takes to write a view.
        freshnessMs: 2 * durations.consumer.publishIntervalMs + durations.viewLateMsMax,
      }),
    );
  }

  /** Applies again, with the configuration of this deployment changed by `change`. */
  async applyChanged(
    change: (document: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const { configure } = this.#options;
    await this.apply((document) => change(configure?.(document) ?? document));
  }

  #site(): Site {
    const { sidecars, environment, kitHost } = this.#environment.platform;
    return {
      identity: {
        ...sidecars.identity,
        environment: {
          ZTS_URL: this.#services.addresses.zts,
          ZTS_CA: this.athenz.authority.certificatePem,
          SIA_DELAY_SECONDS: String(this.#options.certificateDelaySeconds ?? 0),
          SIA_RETRY_SECONDS: "0.1",
          ...environment,
        },
      },
      splunk: {
        ...sidecars.splunk,
        environment: { SPLUNK_INSTANCE: this.#services.addresses.splunk, ...environment },
      },
      appEnvironment: {
        ...environment,
        ...faultEnvironment(
          this.#services.podFaults?.environment(kitHost),
          this.#options.memoryFaults === true ? memoryFaultEnvironment() : undefined,
          this.#options.nodeOptions === undefined
            ? undefined
            : { NODE_OPTIONS: this.#options.nodeOptions },
        ),
      },
    };
  }

  // ------------------------------------------------------------------------------------- waiting

  /** Waits for a condition; `what` completes "not within N ms: ...". */
  async until<T>(
    what: string,
    condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
    options: { readonly deadlineMs?: number; readonly seen?: () => unknown } = {},
  ): Promise<T> {
    const { durations, signal } = this.#environment;
    const seen = async (): Promise<string> =>
      await describeTrouble(this.target, await this.target.pods());
    return await until(what, condition, {
      deadlineMs: durations.stepMsMax,
      intervalMs: durations.pollIntervalMs,
      signal,
      seen,
      ...options,
    });
  }

  /** Waits until that many pods are ready and not terminating, and gives them. */
  async ready(count = this.replicas): Promise<V1Pod[]> {
    let seen: V1Pod[] = [];
    return await this.until(
      `${count} ready pods`,
      async () => {
        seen = await this.target.pods();
        const ready = seen.filter((pod) => isReady(pod) && !isTerminating(pod));
        return ready.length === count && ready;
      },
      { seen: () => describeTrouble(this.target, seen) },
    );
  }

  /** Waits until one pod is ready and gives its name. */
  async readyPod(): Promise<string> {
    const [pod] = await this.ready(1);
    if (pod === undefined) throw new ExpectationError("no pod is ready");
    return podName(pod);
  }

  /** Waits until a pod exists whose app container runs, ready or not, and gives its name. */
  async startedPod(): Promise<string> {
    let seen: V1Pod[] = [];
    return await this.until(
      "a pod whose app container runs",
      async () => {
        seen = await this.target.pods();
        const started = this.target
          .history()
          .find((event) => event.name === "started" && event.container === APP);
        return started !== undefined && started.pod;
      },
      { seen: () => describeTrouble(this.target, seen) },
    );
  }

  /** Waits until the pod object is removed; gives its last state. */
  async gone(pod: string, deadlineMs = this.#environment.durations.stepMsMax): Promise<V1Pod> {
    let seen: V1Pod[] = [];
    await this.until(
      `pod ${pod} is gone`,
      async () => {
        seen = await this.target.pods();
        return seen.every((present) => podName(present) !== pod);
      },
      { deadlineMs, seen: () => describeTrouble(this.target, seen) },
    );
    const last = this.target.lastSeen(pod);
    expect(last !== undefined, `pod ${pod} was never seen`);
    return last;
  }

  // ------------------------------------------------------------------------------------- records

  /** Publishes fresh incidents that the rule matches. Default partition: chosen from the key. */
  async publish(count: number, partition?: number): Promise<PublishedIncident[]> {
    const incidents = Array.from({ length: count }, () => createIncident(this.#environment.random));
    for (const incident of incidents) await this.publishAgain(incident, partition);
    this.published.push(...incidents);
    return incidents;
  }

  /** Publishes a fresh incident that no rule matches. */
  async publishUnmatched(): Promise<PublishedIncident> {
    const incident = createIncident(this.#environment.random, "warning");
    await this.publishAgain(incident);
    this.published.push(incident);
    return incident;
  }

  /** Appends the record of an incident, whether it was published before or not. */
  async publishAgain(
    incident: Pick<PublishedIncident, "id" | "value">,
    partition?: number,
  ): Promise<Position> {
    return await this.#publishRecord({
      key: incident.id,
      value: incident.value,
      incident: incident.id,
      expected: expectedActions(this.#document, incident.value),
      ...(partition !== undefined && { partition }),
    });
  }

  /** Appends a record that cannot be decoded. */
  async publishUndecodable(value: Uint8Array): Promise<Position> {
    return await this.#publishRecord({ key: null, value, incident: null, expected: [] });
  }

  /** Appends any record to the topic of incidents; the history remembers what must come of it. */
  async #publishRecord(record: PlannedRecord): Promise<Position> {
    return await this.record.append(
      record,
      async (produced) => await this.broker.produce(this.names.topic, produced),
    );
  }

  /** Waits until the group has committed everything that was published. */
  async allCommitted(deadlineMs = this.#environment.durations.stepMsMax): Promise<void> {
    let findings: readonly string[] = [];
    await this.until(
      "everything published is committed",
      async () => {
        findings = checkOffsets(await progressOf(this.broker, this.names));
        return findings.length === 0;
      },
      { deadlineMs, seen: () => findings },
    );
  }

  // ------------------------------------------------------------------------------------- history

  /** Adds an event to the history of the run: a fault of a scenario or schedule, a mark. */
  recordEvent(event: HistoryEvent): void {
    this.record.add(event);
  }

  mark(what: Mark["what"]): void {
    this.record.add({ kind: "mark", atMs: Date.now(), what });
  }

  // ------------------------------------------------------------------------------------ evidence

  async effects(): Promise<readonly Effect[]> {
    return await this.actions.effects();
  }

  async deadLetters(): Promise<StoredRecord[]> {
    return await this.broker.read(this.names.deadLetterTopic);
  }

  async historyFiles(): Promise<HistoryFiles> {
    return readHistoryFiles(await this.target.readVolumeTree(this.#claim, CLAIMS_DIRECTORY));
  }

  /** What /readyz of the pod answers; null while nothing listens. */
  async readiness(pod: string): Promise<{ readonly status: number; readonly body: string } | null> {
    try {
      return await this.target.get(pod, "/readyz");
    } catch {
      return null;
    }
  }

  /** The checker that has looked at the contract file since the first deployment. */
  get contractFile(): ContractFileWatch["checker"] {
    if (this.#contractFile === null) throw new Error("nothing is deployed yet");
    return this.#contractFile.checker;
  }

  /**
   * Waits until everything is committed, then checks every invariant: effects, claims and outcomes, dead
   * letters, offsets, the contract file. Throws ExpectationError with all findings.
   */
  async verify(): Promise<void> {
    await this.#converge();
    const findings = findViolations({
      published: this.published,
      effects: await this.effects(),
      files: await this.historyFiles(),
      deadLetters: await this.deadLetters(),
      progress: await progressOf(this.broker, this.names),
      contractFile: this.contractFile.findings,
    });
    this.#environment.tell("checker", "checker.verified", { findings });
    expect(findings.length === 0, findings.join("\n"));
  }

  /** From here on liveness is judged: it has converged, or the time for it is over. */
  async #converge(): Promise<void> {
    this.mark("healed");
    try {
      await this.allCommitted();
      await this.until(
        "the contract file shows everything that it ever showed",
        () => this.contractFile.missing.length === 0,
        { seen: () => this.contractFile.missing },
      );
    } finally {
      if (!this.#environment.signal.aborted) this.mark("converged");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** There is one variable for the options of Node, whoever has some. */
function faultEnvironment(
  ...parts: readonly (Readonly<Record<string, string>> | undefined)[]
): Readonly<Record<string, string>> {
  const variables = parts.flatMap((part) => Object.entries(part ?? {}));
  const options = variables.filter(([name]) => name === "NODE_OPTIONS").map(([, value]) => value);
  return {
    ...Object.fromEntries(variables),
    ...(options.length > 0 && { NODE_OPTIONS: options.join(" ") }),
  };
}
