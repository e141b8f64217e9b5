import type { Random } from "#consumer/ports.ts";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { FaultNeverFiredError } from "#simulator/process/fault-never-fired.ts";
import type { RequestFacts } from "#simulator/kafka/cluster/request-facts.ts";
import { checkRule, describeRule, directionOf, matches } from "./fault-rule.ts";
import type { FaultAction, FaultDirection, FaultRule } from "./fault-rule.ts";

export type { FaultRule } from "./fault-rule.ts";

/**
 * An installed rule. Disposing removes it and releases everything that it holds. It throws
 * FaultNeverFiredError when the rule was never triggered and is not `optional`, because what passed
 * meanwhile proved nothing. Disposing again does nothing.
 */
export interface Fault extends Disposable {
  /** An id that is unique in the cluster. */
  readonly id: number;
  readonly rule: FaultRule;
  /** The number of exchanges or connections that triggered it. */
  readonly hits: number;
  /** The first request that triggered it; undefined until then. */
  readonly firstHit: RequestFacts | undefined;
  /** Resolves at the first hit. */
  readonly arrived: Promise<RequestFacts>;
  /**
   * Lets all requests at the barrier go on, and later ones pass. Ends what a blackhole swallowed.
   */
  release(): void;
}

/** A rule that was triggered by one request or one reply. */
export interface TriggeredFault {
  /** The id of the rule. */
  readonly id: number;
  readonly action: FaultAction;
  readonly rule: FaultRule;
  /** Resolves when the rule releases the request, reply or connection. */
  readonly released: Promise<void>;
}

/** A connection to which rules about connections apply. */
export interface BreakableConnection {
  readonly node: number;
  /**
   * The facts about its last request, without the objects that it named; undefined before the first
   * one.
   */
  readonly facts: RequestFacts | undefined;
  break(triggered: TriggeredFault): void;
}

/**
 * Ordered rules. The first rule that matches a request is triggered, and likewise for its reply.
 */
export class FaultRegistry {
  readonly #installed: InstalledFault[] = [];
  readonly #connections = new Set<BreakableConnection>();
  #lastId = 0;

  /**
   * Installs a rule. Throws RangeError for a rule that can never do what it says, such as one with
   * an unknown error name.
   */
  add(rule: FaultRule): Fault {
    checkRule(rule);
    this.#lastId += 1;
    const fault = new InstalledFault(this.#lastId, rule, () => {
      const index = this.#installed.indexOf(fault);
      if (index !== -1) this.#installed.splice(index, 1);
    });
    this.#installed.push(fault);
    if (rule.connections === true) {
      for (const connection of this.#connections) {
        const { facts } = connection;
        if (facts !== undefined && fault.triggersForConnection(connection, facts)) {
          connection.break(fault);
        }
      }
    }
    return fault;
  }

  /** Applies rules about connections to this one, until the result is disposed of. */
  join(connection: BreakableConnection): Disposable {
    this.#connections.add(connection);
    return { [Symbol.dispose]: () => void this.#connections.delete(connection) };
  }

  /** Returns the installed rules in order. */
  all(): readonly Fault[] {
    return [...this.#installed];
  }

  /**
   * Triggers the first matching rule and counts the hit. Returns undefined when no rule applies to
   * this side of the exchange.
   */
  trigger(
    direction: FaultDirection,
    node: number,
    request: RequestFacts,
  ): TriggeredFault | undefined {
    for (const fault of this.#installed) {
      if (fault.rule.connections !== true && fault.triggers(direction, node, request)) return fault;
    }
    return undefined;
  }

  /**
   * Does the same for a whole connection. It is called at each of its requests, and a rule counts
   * the connection once.
   */
  triggerForConnection(
    connection: BreakableConnection,
    request: RequestFacts,
  ): TriggeredFault | undefined {
    for (const fault of this.#installed) {
      if (fault.rule.connections === true && fault.triggersForConnection(connection, request)) {
        return fault;
      }
    }
    return undefined;
  }

  /**
   * Disposes of every rule. Throws FaultNeverFiredError for all rules that should have been
   * triggered and were not.
   */
  close(): void {
    const missed: string[] = [];
    for (const fault of this.all()) {
      try {
        fault[Symbol.dispose]();
      } catch (error) {
        if (!(error instanceof FaultNeverFiredError)) throw error;
        missed.push(error.message);
      }
    }
    if (missed.length > 0) throw new FaultNeverFiredError(missed.join("\n"));
  }
}

class InstalledFault implements Fault, TriggeredFault {
  readonly id: number;
  readonly rule: FaultRule;
  readonly arrived: Promise<RequestFacts>;
  readonly released: Promise<void>;
  readonly #direction: FaultDirection;
  readonly #random: Random;
  readonly #remove: () => void;
  /** The connections that matched, whether they triggered the rule or passed. */
  readonly #met = new WeakSet<BreakableConnection>();
  readonly #arrive: (request: RequestFacts) => void;
  readonly #release: () => void;
  #isDisposed = false;
  #matched = 0;
  #hits = 0;
  #firstHit: RequestFacts | undefined;

  constructor(id: number, rule: FaultRule, remove: () => void) {
    const arrived = Promise.withResolvers<RequestFacts>();
    const released = Promise.withResolvers<void>();
    this.id = id;
    this.rule = rule;
    this.arrived = arrived.promise;
    this.released = released.promise;
    this.#direction = directionOf(rule);
    this.#random = createSeededRandom(rule.seed ?? 0);
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

  get firstHit(): RequestFacts | undefined {
    return this.#firstHit;
  }

  triggers(direction: FaultDirection, node: number, request: RequestFacts): boolean {
    if (this.#isSpent || direction !== this.#direction) return false;
    return matches(this.rule, node, request) && this.#hitsMatching(request);
  }

  triggersForConnection(connection: BreakableConnection, request: RequestFacts): boolean {
    if (this.#isSpent || this.#met.has(connection)) return false;
    if (!matches(this.rule, connection.node, request)) return false;
    this.#met.add(connection);
    return this.#hitsMatching(request);
  }

  get #isSpent(): boolean {
    return this.#hits >= (this.rule.times ?? Number.POSITIVE_INFINITY);
  }

  /** Tells whether this match triggers the rule. */
  #hitsMatching(request: RequestFacts): boolean {
    const { skip = 0, probability = 1 } = this.rule;
    this.#matched += 1;
    if (this.#matched <= skip) return false;
    if (probability < 1 && this.#random.next() >= probability) return false;
    this.#hits += 1;
    this.#firstHit ??= request;
    this.#arrive(request);
    return true;
  }

  release(): void {
    this.#release();
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#remove();
    this.#release();
    if (this.#hits === 0 && this.rule.optional !== true) {
      const what = this.rule.connections === true ? "connections" : "exchanges";
      throw new FaultNeverFiredError(
        `the fault never fired: ${describeRule(this.rule)}; ${this.#matched} ${what} matched it`,
      );
    }
  }
}
