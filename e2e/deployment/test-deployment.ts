import { CLAIMS_DIRECTORY } from "#consumer/history/base/layout.ts";
import { randomBytes } from "node:crypto";
import { configuration } from "#fixtures/configurations.ts";
import type { BrokerNames } from "#fixtures/configurations.ts";
import { deploymentOf } from "#simulator/omega/manifests/objects.ts";
import type { Effect } from "#simulator/action-endpoint/ledger.ts";
import type { Broker, Position, StoredRecord } from "#e2e/brokers/broker.ts";
import { expectedActions } from "#e2e/checkers/collect/expected-actions.ts";
import { KitRecord } from "#e2e/checkers/collect/kit-record.ts";
import type { PlannedRecord } from "#e2e/checkers/collect/kit-record.ts";
import { CONTRACT_FILE, ContractFileWatch } from "#e2e/checkers/check-contract-file.ts";
import { readHistoryFiles } from "#e2e/checkers/history-files.ts";
import type { HistoryEvent, Mark } from "#e2e/checkers/history-event.ts";
import type { HistoryFiles } from "#e2e/checkers/history-files.ts";
import { checkOffsets } from "#e2e/checkers/check-offsets.ts";
import type { PodFaults } from "#e2e/chaos/in-pod/pod-faults.ts";
import { expect } from "#e2e/errors.ts";
import { createIncident } from "./incidents.ts";
import type { PublishedIncident } from "./incidents.ts";
import { findViolations, progressOf } from "./find-violations.ts";
import { rewriteConfiguration } from "./configuration/rewrite-configuration.ts";
import { historyVolumeClaimOf, renderManifests, unreadyMsOf } from "./manifests.ts";
import { podName } from "#e2e/targets/pods.ts";
import type { Target } from "#e2e/targets/target.ts";
import type { Services } from "./services.ts";
import { siteOf } from "./site-of.ts";
import { DeployedPods } from "./deployed-pods.ts";
import type { DeploymentEnvironment, DeploymentOptions } from "./deployment-options.ts";

const IDENTITY_KEY = "/var/run/athenz/service.key.pem";

/**
 * The application under test, deployed to a target, and the services that it talks to. Waits are bounded by
 * `durations.stepMsMax` and end with the scenario's signal.
 */
export class TestDeployment extends DeployedPods implements AsyncDisposable {
  readonly athenz: Services["athenz"];
  readonly ckms: Services["ckms"];
  readonly broker: Broker;
  /** The names that pods use at the broker. */
  readonly names: BrokerNames;
  readonly actions: Services["actions"]["control"];
  readonly collector: Services["collector"];
  readonly published: PublishedIncident[] = [];
  /** The deeds of the kit itself, for the history of the run. */
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
  /** The configuration that was applied last. */
  #document: unknown;

  constructor(
    services: Services,
    target: Target,
    stack: AsyncDisposableStack,
    options: DeploymentOptions,
    environment: DeploymentEnvironment,
  ) {
    super({
      target,
      replicas: options.replicas ?? 1,
      durations: environment.durations,
      signal: environment.signal,
    });
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

  /** The image of the sidecars and of the kit's own pods in a cluster. */
  get simulatorsImage(): string {
    return this.#environment.platform.sidecars.identity.image;
  }

  /**
   * The longest time on a busy machine until the kubelet marks a pod as unready once its readiness probe fails, in
   * milliseconds.
   */
  get unreadyMsMax(): number {
    return this.#unreadyMs + this.#environment.durations.viewLateMsMax;
  }

  /** The name of the Deployment. */
  get name(): string {
    return this.#name;
  }

  /** The faults inside the processes of the pods. Throws an Error unless the deployment has the option `podFaults`. */
  get podFaults(): PodFaults {
    const { podFaults } = this.#services;
    if (podFaults === null) throw new Error("the deployment was opened without `podFaults: true`");
    return podFaults;
  }

  /** The name of the PersistentVolumeClaim of the history. */
  get claim(): string {
    return this.#claim;
  }

  /** Returns the values that must not appear in any artifact, by their names, as far as they are known now. */
  async secrets(): Promise<ReadonlyMap<string, string>> {
    const secrets = new Map([...this.#services.secrets, ...this.#fresh]);
    for (const pod of await this.target.pods()) {
      const name = podName(pod);
      try {
        const read = await this.target.exec(name, "identity", ["cat", IDENTITY_KEY]);
        if (read.exitCode === 0) secrets.set(`private key of ${name}`, read.stdout);
      } catch {
        // A container that does not run no longer has a key to leak.
      }
    }
    return secrets;
  }

  /** Returns a random value that no artifact may show. */
  freshSecret(name: string): string {
    const value = randomBytes(24).toString("base64url");
    this.#fresh.set(name, value);
    return value;
  }

  /** Renders the manifests and applies them. A second call updates the Deployment with another configuration. */
  async apply(configure = this.#options.configure): Promise<void> {
    if (this.#options.configuration !== undefined) {
      return await this.applyConfiguration(this.#options.configuration.text);
    }
    const { durations } = this.#environment;
    const document = configuration({
      brokers: this.broker.bootstrap,
      names: this.names,
      ckmsUrl: this.#services.addresses.ckms,
      actionUrl: this.#services.addresses.actions,
      useIdentity: this.#options.mutualTls ?? false,
      durations: durations.consumer,
    });
    await this.#applyDocument(configure?.(document) ?? document);
  }

  /** Applies another whole configuration. The deployment has the option `configuration`. */
  async applyConfiguration(text: string): Promise<void> {
    const { durations, realTime } = this.#environment;
    const { addresses } = this.#services;
    const document = rewriteConfiguration(text, {
      brokers: this.broker.bootstrap,
      names: this.names,
      ckmsUrl: addresses.ckms,
      identityUrl: addresses.actions,
      plainUrl: addresses.plainActions,
      durations: realTime ? null : durations.consumer,
      actionDeadlineMsMin: durations.stepMsMax,
      orphanWaitMs: this.#options.configuration?.orphanWaitMs,
    });
    await this.#applyDocument(document);
  }

  async #applyDocument(configured: Readonly<Record<string, unknown>>): Promise<void> {
    const { platform, durations } = this.#environment;
    const objects = await renderManifests({
      job: this.#options.configuration?.job ?? "component",
      image: platform.image,
      requests: platform.requests,
      site: siteOf(this.#services, platform, this.#options),
      configuration: configured,
      replicas: this.replicas,
      durations: { ...durations.pod, ...this.#options.pod },
      memoryLimit: this.#options.memoryLimit,
      historyVolume: this.#options.historyVolume ?? true,
    });
    this.#claim = historyVolumeClaimOf(objects);
    this.#name = deploymentOf(objects).metadata.name;
    this.#unreadyMs = unreadyMsOf(objects);
    await this.target.apply(objects);
    this.#document = configured;
    this.#contractFile ??= this.#stack.use(
      new ContractFileWatch(() => this.target.readVolume(this.#claim, CONTRACT_FILE), {
        intervalMs: durations.lookIntervalMs,
        // A busy machine needs additional time to write a view.
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

  /** Publishes new incidents that the rule matches. Without `partition`, the key selects the partition. */
  async publish(count: number, partition?: number): Promise<PublishedIncident[]> {
    const incidents = Array.from({ length: count }, () => createIncident(this.#environment.random));
    for (const incident of incidents) await this.publishAgain(incident, partition);
    this.published.push(...incidents);
    return incidents;
  }

  /** Publishes a new incident that no rule matches. */
  async publishUnmatched(): Promise<PublishedIncident> {
    const incident = createIncident(this.#environment.random, "warning");
    await this.publishAgain(incident);
    this.published.push(incident);
    return incident;
  }

  /** Appends the record of an incident, which may have been published before. */
  async publishAgain(
    incident: Pick<PublishedIncident, "id" | "value">,
    partition?: number,
  ): Promise<Position> {
    return await this.publishRecord({
      key: incident.id,
      value: incident.value,
      incident: incident.id,
      expected: expectedActions(this.#document, incident.value),
      ...(partition !== undefined && { partition }),
    });
  }

  /** Appends a record that cannot be decoded. */
  async publishUndecodable(value: Uint8Array): Promise<Position> {
    return await this.publishRecord({ key: null, value, incident: null, expected: [] });
  }

  /** Appends a record to the incident topic. The history remembers which actions it must cause. */
  async publishRecord(record: PlannedRecord): Promise<Position> {
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

  /** Adds an event to the history of the run, such as a fault of a scenario or a schedule. */
  recordEvent(event: HistoryEvent): void {
    this.record.add(event);
  }

  mark(what: Mark["what"]): void {
    this.record.add({ kind: "mark", atMs: Date.now(), what });
  }

  async effects(): Promise<readonly Effect[]> {
    return await this.actions.effects();
  }

  async deadLetters(): Promise<StoredRecord[]> {
    return await this.broker.read(this.names.deadLetterTopic);
  }

  async historyFiles(): Promise<HistoryFiles> {
    return readHistoryFiles(await this.target.readVolumeTree(this.#claim, CLAIMS_DIRECTORY));
  }

  /** The checker that has read the contract file again and again since the first deployment. */
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
    this.#environment.recordEvent("checker", "checker.verified", { findings });
    expect(findings.length === 0, findings.join("\n"));
  }

  /** Marks the period for which liveness is judged, and waits until the deployment has converged. */
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
