import type { V1Pod } from "@kubernetes/client-node";
import type { GroupMember } from "#e2e/brokers/broker.ts";
import {
  APP,
  containerStatus,
  isReady,
  isTerminating,
  podName,
  restarts,
} from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { podState, saysItWaits } from "./pod-state.ts";
import type { PodState } from "./pod-state.ts";

/** The source from which the states of pods are derived. */
export interface PodSource {
  /** Returns the present pods in the order of creation. */
  pods(): Promise<readonly V1Pod[]>;
  /** Returns the state of a pod when it was last seen. */
  lastSeen(pod: string): V1Pod | undefined;
  /** Returns what its app has printed since its last start. */
  log(pod: string): Promise<string>;
  /** Returns the members of the consumer group. The client id of each is the name of its pod. */
  members(): Promise<readonly GroupMember[]>;
  /** The topic of incidents. */
  readonly topic: string;
}

/**
 * Logs and members are read less often than pods, since they are requests where pods and broker are
 * remote.
 */
const ASK_INTERVAL_MS = 1000;
/** The time for which a pod that is gone is still shown. */
const GONE_SHOWN_MS = 4000;

/**
 * Follows the pods of a schedule for the display on the terminal. What cannot be read is left out,
 * since nothing depends on it.
 */
export class PodWatch {
  readonly #source: PodSource;
  #pods: readonly V1Pod[] = [];
  readonly #gone = new Map<string, { readonly state: PodState; readonly untilMs: number }>();
  /** The lives of apps that have been ready, by pod and restart. */
  readonly #readyLives = new Set<string>();
  /** Pods whose app waits for its certificates. */
  #waiting: ReadonlySet<string> = new Set();
  #members: readonly GroupMember[] = [];
  #isLooking = false;
  #isAsking = false;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(source: PodSource) {
    this.#source = source;
  }

  /** The states of the pods in the order of creation, followed by those that are gone. */
  get states(): readonly PodState[] {
    const present = this.#pods.map((pod) => this.#stateOf(pod));
    return [...present, ...Array.from(this.#gone.values(), ({ state }) => state)];
  }

  /**
   * Looks once, unless the last look has not ended. `nowMs` is the time of any clock that never
   * goes back.
   */
  async look(nowMs: number): Promise<void> {
    await Promise.all([this.#lookAtPods(nowMs), this.#ask(nowMs)]);
  }

  async #lookAtPods(nowMs: number): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const pods = await this.#source.pods().catch(() => this.#pods);
    this.#isLooking = false;
    const names = new Set(pods.map((pod) => podName(pod)));
    for (const pod of this.#pods) {
      const name = podName(pod);
      if (names.has(name)) continue;
      const state = this.#stateOf(this.#source.lastSeen(name) ?? pod);
      this.#gone.set(name, {
        state: { ...state, phase: "gone", startedAtMs: null, partitions: [] },
        untilMs: nowMs + GONE_SHOWN_MS,
      });
    }
    for (const [name, { untilMs }] of this.#gone) if (untilMs <= nowMs) this.#gone.delete(name);
    for (const pod of pods) if (isReady(pod)) this.#readyLives.add(lifeOf(pod));
    this.#pods = pods;
  }

  async #ask(nowMs: number): Promise<void> {
    if (this.#isAsking || nowMs - this.#askedAtMs < ASK_INTERVAL_MS) return;
    this.#isAsking = true;
    this.#askedAtMs = nowMs;
    const waiting = new Set<string>();
    for (const pod of this.#pods.filter((one) => this.#isStarting(one))) {
      const log = await this.#source.log(podName(pod)).catch(() => "");
      if (saysItWaits(log)) waiting.add(podName(pod));
    }
    this.#waiting = waiting;
    this.#members = await this.#source.members().catch(() => []);
    this.#isAsking = false;
  }

  #isStarting(pod: V1Pod): boolean {
    const isRunning = containerStatus(pod)?.state?.running !== undefined;
    return isRunning && !isTerminating(pod) && !this.#readyLives.has(lifeOf(pod));
  }

  #stateOf(pod: V1Pod): PodState {
    const name = podName(pod);
    const partitions = this.#members
      .filter(({ clientId }) => clientId === name)
      .flatMap((member) => member.partitions)
      .filter(({ topic }) => topic === this.#source.topic)
      .map(({ partition }) => partition);
    return podState(pod, {
      wasReady: this.#readyLives.has(lifeOf(pod)),
      waitsForCertificates: this.#waiting.has(name),
      partitions: partitions.toSorted((left, right) => left - right),
    });
  }
}

export function podSourceOf({ target, broker, names }: TestDeployment): PodSource {
  return {
    pods: async () => await target.pods(),
    lastSeen: (pod) => target.lastSeen(pod),
    log: async (pod) => await target.logs(pod, APP),
    members: async () => await broker.members(names.group),
    topic: names.topic,
  };
}

function lifeOf(pod: V1Pod): string {
  return `${podName(pod)} ${restarts(pod)}`;
}
