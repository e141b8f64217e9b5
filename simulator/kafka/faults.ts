import type { RequestFacts } from "./events.ts";
import { errorCode } from "./wire/errors.ts";

/** Which requests a rule is about: every given field must match. */
export interface FaultScope {
  /** Name in the protocol (`OffsetCommit`) or its number. */
  readonly api?: string | number;
  readonly node?: number;
  readonly topic?: string;
  readonly group?: string;
  readonly clientId?: string;
  /** `User:NAME`. */
  readonly principal?: string;
}

type FaultAction =
  /** Not applied; answered with this error of Apache Kafka's table, such as `NOT_COORDINATOR`. */
  | { readonly type: "error"; readonly error: string }
  /** Applied after `delayMs`. */
  | { readonly type: "delay"; readonly delayMs: number }
  /** Not applied; the connection is closed. */
  | { readonly type: "drop-before-apply" }
  /** Applied; the connection is closed instead of answering. */
  | { readonly type: "apply-then-drop" }
  /** Not applied and never answered; the connection is deaf from then on, and closed when the rule is released. */
  | { readonly type: "blackhole" }
  /** Waits for `release()`, before it is applied or before the answer is sent. Default before-apply. */
  | { readonly type: "barrier"; readonly at?: "before-apply" | "before-reply" };

export interface FaultRule extends FaultScope {
  readonly action: FaultAction;
  /** Matching requests that pass before the rule bites. Default 0. */
  readonly skip?: number;
  /** How often the rule bites, then it is spent. Default: without end. */
  readonly times?: number;
  /** Chance in [0, 1] of a matching request to be hit, drawn from `random`. Default 1. */
  readonly probability?: number;
  /** Uniform in [0, 1): give a seeded one to be able to replay. Default Math.random. */
  readonly random?: () => number;
}

/** An installed rule; disposing it removes it and releases whoever it holds. */
export interface Fault extends Disposable {
  readonly rule: FaultRule;
  /** Requests that it bit. A test that relies on a rule asserts that this is not 0. */
  readonly hits: number;
  /** Resolves at the first hit. */
  readonly arrived: Promise<RequestFacts>;
  /** Lets everyone held at the barrier go on, and later ones pass; ends what a blackhole swallowed. */
  release(): void;
}

/** A rule that bit one request. */
export interface Bite {
  readonly action: FaultAction;
  /** Resolves when the rule lets go of the request. */
  readonly released: Promise<void>;
}

/** Ordered rules: the first one that matches a request is the one that bites. */
export class Faults {
  readonly #installed: InstalledFault[] = [];

  /** Throws RangeError for an error name that Apache Kafka does not know. */
  add(rule: FaultRule): Fault {
    if (rule.action.type === "error") errorCode(rule.action.error);
    const fault = new InstalledFault(rule, () => {
      const index = this.#installed.indexOf(fault);
      if (index !== -1) this.#installed.splice(index, 1);
    });
    this.#installed.push(fault);
    return fault;
  }

  /** The installed rules in order. */
  all(): readonly Fault[] {
    return [...this.#installed];
  }

  /** Counts the hit; undefined when no rule is about this request. */
  bite(node: number, request: RequestFacts): Bite | undefined {
    for (const fault of this.#installed) {
      if (fault.bites(node, request)) return fault;
    }
    return undefined;
  }

  close(): void {
    for (const fault of this.all()) fault[Symbol.dispose]();
  }
}

class InstalledFault implements Fault, Bite {
  readonly rule: FaultRule;
  readonly arrived: Promise<RequestFacts>;
  readonly released: Promise<void>;
  readonly #remove: () => void;
  readonly #arrive: (request: RequestFacts) => void;
  readonly #release: () => void;
  #matched = 0;
  #hits = 0;

  constructor(rule: FaultRule, remove: () => void) {
    const arrived = Promise.withResolvers<RequestFacts>();
    const released = Promise.withResolvers<void>();
    this.rule = rule;
    this.arrived = arrived.promise;
    this.released = released.promise;
    this.#remove = remove;
    this.#arrive = arrived.resolve;
    this.#release = released.resolve;
  }

  get action(): FaultAction {
    return this.rule.action;
  }

  get hits(): number {
    return this.#hits;
  }

  bites(node: number, request: RequestFacts): boolean {
    const { skip = 0, times = Number.POSITIVE_INFINITY, probability = 1 } = this.rule;
    if (this.#hits >= times || !matches(this.rule, node, request)) return false;
    this.#matched += 1;
    if (this.#matched <= skip) return false;
    if (probability < 1 && (this.rule.random ?? Math.random)() >= probability) return false;
    this.#hits += 1;
    this.#arrive(request);
    return true;
  }

  release(): void {
    this.#release();
  }

  [Symbol.dispose](): void {
    this.#remove();
    this.#release();
  }
}

function matches(scope: FaultScope, node: number, request: RequestFacts): boolean {
  const { api, topic, group } = scope;
  return (
    (api === undefined || api === request.api || api === request.apiKey) &&
    (scope.node === undefined || scope.node === node) &&
    (topic === undefined || request.topics.includes(topic)) &&
    (group === undefined || request.groups.includes(group)) &&
    (scope.clientId === undefined || scope.clientId === request.clientId) &&
    (scope.principal === undefined || scope.principal === request.principal)
  );
}
