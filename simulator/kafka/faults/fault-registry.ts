import type { Random } from "#consumer/ports.ts";
import { createSeededRandom } from "#fixtures/ports/clock.ts";
import { FaultNeverFiredError } from "#simulator/process/fault-never-fired.ts";
import type { RequestFacts } from "#simulator/kafka/cluster/request-facts.ts";
import { checkRule, describeRule, directionOf, matches } from "./fault-rule.ts";
import type { FaultAction, FaultDirection, FaultRule } from "./fault-rule.ts";

export type { FaultRule } from "./fault-rule.ts";

/**
 * An installed rule. Disposing removes it and releases whoever it holds; it then throws FaultNeverFiredError when
 * the rule never bit and is not `optional`: whatever passed meanwhile proved nothing. Disposing again does nothing.
 */
export interface Fault extends Disposable {
  /** Unique in the cluster. */
  readonly id: number;
  readonly rule: FaultRule;
  /** Exchanges, or connections, that it bit. */
  readonly hits: number;
  /** What it bit first; undefined until then. */
  readonly firstHit: RequestFacts | undefined;
  /** Resolves at the first hit. */
  readonly arrived: Promise<RequestFacts>;
  /** Lets everyone held at the barrier go on, and later ones pass; ends what a blackhole swallowed. */
  release(): void;
}

/** A rule that bit one request or one reply. */
export interface TriggeredFault {
  /** Of the rule. */
  readonly id: number;
  readonly action: FaultAction;
  readonly rule: FaultRule;
  /** Resolves when the rule lets go of it. */
  readonly released: Promise<void>;
}

/** A connection, as a rule about connections meets it. */
export interface BreakableConnection {
  readonly node: number;
  /** Of its last request, without what that was about; undefined before the first one. */
  readonly facts: RequestFacts | undefined;
  break(triggered: TriggeredFault): void;
}

/** Ordered rules: the first one that matches a request is the one that bites it, and so for its reply. */
export class FaultRegistry {
  readonly #installed: InstalledFault[] = [];
  readonly #connections = new Set<BreakableConnection>();
  #lastId = 0;

  /** Throws RangeError for a rule that can never do what it says, such as an unknown name of an error. */
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

  /** Rules about connections meet this one from now on, until the end of it. */
  join(connection: BreakableConnection): Disposable {
    this.#connections.add(connection);
    return { [Symbol.dispose]: () => void this.#connections.delete(connection) };
  }

  /** The installed rules in order. */
  all(): readonly Fault[] {
    return [...this.#installed];
  }

  /** Counts the hit; undefined when no rule is about this side of the exchange. */
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

  /** The same for a whole connection, which is asked about at each of its requests and counts once. */
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

  /** Disposes of every rule. Throws FaultNeverFiredError for all that should have bitten and did not. */
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
  /** Connections that matched it, whether it bit them or let them pass. */
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

  /** Whether it bites this one of those that match. */
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
