import { parseConfig } from "#consumer/config/load-config.ts";
import type { Config } from "#consumer/config/load-config.ts";
import { createPredictor } from "#consumer/operations/rules/prediction.ts";
import type { Prediction, Predictor } from "#consumer/operations/rules/prediction.ts";
import { DEPLOYMENTS } from "#simulator/omega/manifests/identities.ts";
import type { OmegaJob } from "#simulator/omega/manifests/identities.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { expect } from "#e2e/errors.ts";
import { plannedActions, PredictedLedger } from "./predicted-ledger.ts";
import type { PlayedRecord } from "./shift-incidents.ts";

const FINDINGS_SHOWN_MAX = 10;

interface Side {
  readonly config: Config;
  readonly predictor: Predictor;
}

/**
 * Plays incidents on a deployment of a configuration, and compares the ledger of effects with what `rules test`
 * predicts. The prediction is made from the configuration as its author wrote it.
 */
export class ConfigurationPlay {
  readonly predicted: PredictedLedger;
  readonly #deployment: TestDeployment;
  readonly #rejections = new Set<string>();
  readonly #results = new Map<string, number>();
  #sides: readonly Side[];

  constructor(deployment: TestDeployment, job: OmegaJob, text: string) {
    this.#deployment = deployment;
    this.predicted = new PredictedLedger(DEPLOYMENTS[job].principal);
    this.#sides = [sideOf(text)];
  }

  /** The number of predictions so far by their result, such as `3 send, 1 too-old`. */
  get results(): string {
    return Array.from(this.#results, ([result, count]) => `${count} ${result}`).join(", ");
  }

  /** The reasons why templates could not be filled, each once. */
  get rejections(): readonly string[] {
    return [...this.#rejections];
  }

  /** The rules of the newest configuration that have matched no record so far. */
  get unmatchedRules(): readonly string[] {
    return this.#sides.at(-1)?.predictor.unmatchedRules() ?? [];
  }

  /** Names a configuration that pods may have from now on, beside the present one. */
  addSide(text: string): void {
    this.#sides = [...this.#sides, sideOf(text)];
  }

  /** Says that only pods of the newest configuration are left. */
  keepNewestSide(): void {
    this.#sides = this.#sides.slice(-1);
  }

  /**
   * Publishes the records in their order. Where a rule has limits, each record ends before the next one comes, since
   * the order of runs decides which of them are admitted.
   */
  async publish(records: readonly PlayedRecord[]): Promise<void> {
    const inTurn = this.#sides.some(({ config }) => config.rules.some(({ limits }) => limits));
    for (const record of records) {
      await this.publishOne(record);
      if (inTurn) await this.#deployment.allCommitted();
    }
  }

  /** Publishes one record, predicted for this moment under each configuration that a pod may have. */
  async publishOne({ place, incident, value }: PlayedRecord): Promise<readonly Prediction[]> {
    const record = { place, value, timestampMs: Date.now() };
    const sides = this.#sides.map(({ config, predictor }) => {
      const predictions = predictor.predict(record);
      this.predicted.add(predictions);
      for (const { result, detail } of predictions) {
        if (result === "rejected") this.#rejections.add(detail);
        this.#results.set(result, (this.#results.get(result) ?? 0) + 1);
      }
      return { predictions, expected: plannedActions(predictions, config) };
    });
    await this.#deployment.publishRecord({
      key: incident,
      value,
      // A record without a value is no incident, and no dead letter either.
      incident: incident ?? (value === null ? place : null),
      expected: sides.flatMap(({ expected }) => expected),
    });
    return sides.flatMap(({ predictions }) => predictions);
  }

  /** Waits until everything has ended, then throws ExpectationError unless the ledger is exactly what was predicted. */
  async verify(): Promise<void> {
    await this.#deployment.verify();
    const findings = this.predicted.differences(await this.#deployment.effects());
    const shown = findings.slice(0, FINDINGS_SHOWN_MAX);
    if (shown.length < findings.length) shown.push(`and ${findings.length - shown.length} more`);
    expect(findings.length === 0, `the ledger is not as predicted:\n${shown.join("\n")}`);
  }
}

function sideOf(text: string): Side {
  const config = parseConfig(text, "config.yaml");
  return { config, predictor: createPredictor({ config }) };
}
