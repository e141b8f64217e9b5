import type { SaslMechanism, Users } from "./users.ts";
import type { SaslExchange, SaslStep } from "./sasl-exchange.ts";
import { plainExchange } from "./plain.ts";
import { scramExchange } from "./scram.ts";
import { AuthenticationFailed } from "./authentication-failed.ts";

export const ANONYMOUS = "User:ANONYMOUS";

/** Notified of the result of every attempt. */
export interface SessionObserver {
  authenticated(principal: string): void;
  failed(mechanism: string): void;
}

/** The authentication of a connection: its principal, and what it may ask for now. */
export class Session {
  readonly mechanisms: readonly SaslMechanism[];
  readonly #users: Users;
  readonly #observer: SessionObserver | undefined;
  #principal: string;
  #exchange: SaslExchange | undefined;
  #mechanism: SaslMechanism | undefined;
  #authenticated: boolean;
  #rawTokens = false;
  #rejected = false;
  /** The end of the authentication, in milliseconds since the epoch. */
  #endsAtMs = Number.POSITIVE_INFINITY;

  /**
   * `principal` is the one that the transport proved (mTLS). `mechanisms` is empty where no SASL is
   * required.
   */
  constructor(
    users: Users,
    mechanisms: readonly SaslMechanism[],
    principal: string,
    observer?: SessionObserver,
  ) {
    this.mechanisms = mechanisms;
    this.#users = users;
    this.#observer = observer;
    this.#principal = principal;
    this.#authenticated = mechanisms.length === 0;
  }

  get principal(): string {
    return this.#principal;
  }

  get isInExchange(): boolean {
    return this.#exchange !== undefined;
  }

  /** True when tokens come in frames without a header (SaslHandshake version 0). */
  get takesRawTokens(): boolean {
    return this.#rawTokens && this.#exchange !== undefined;
  }

  /** True when the connection is to be closed as soon as the client has been told. */
  get isRejected(): boolean {
    return this.#rejected;
  }

  reject(): void {
    this.#rejected = true;
  }

  /** Tells whether requests other than ApiVersions and those of SASL are served. */
  isAuthenticated(nowMs: number): boolean {
    return this.#authenticated && nowMs < this.#endsAtMs;
  }

  /** Begins an exchange. Returns false for a mechanism that the listener does not offer. */
  begin(mechanism: string, rawTokens: boolean): boolean {
    const offered = this.mechanisms.find((candidate) => candidate === mechanism);
    if (offered === undefined) {
      this.#observer?.failed(mechanism);
      return false;
    }
    this.#mechanism = offered;
    this.#rawTokens = rawTokens;
    this.#exchange = startExchange(offered, this.#users);
    return true;
  }

  /**
   * Answers the client's next token. `endsAtMs` is the end of the authentication that this may
   * complete. Throws AuthenticationFailed.
   */
  async next(token: Buffer, endsAtMs: number): Promise<SaslStep> {
    if (this.#exchange === undefined) throw new AuthenticationFailed("no SASL exchange has begun");
    try {
      const step = await this.#exchange.next(token);
      if (step.user !== undefined) this.#complete(`User:${step.user}`, endsAtMs);
      return step;
    } catch (error) {
      if (error instanceof AuthenticationFailed) this.#observer?.failed(this.#mechanism ?? "");
      throw error;
    }
  }

  #complete(principal: string, endsAtMs: number): void {
    this.#exchange = undefined;
    // As in Apache Kafka, a re-authentication must not change the principal.
    if (this.#principal !== ANONYMOUS && this.#authenticated && principal !== this.#principal) {
      throw new AuthenticationFailed("Cannot change principals during re-authentication");
    }
    this.#principal = principal;
    this.#authenticated = true;
    this.#endsAtMs = endsAtMs;
    this.#observer?.authenticated(principal);
  }
}

function startExchange(mechanism: SaslMechanism, users: Users): SaslExchange {
  return mechanism === "PLAIN" ? plainExchange(users) : scramExchange(mechanism, users);
}
