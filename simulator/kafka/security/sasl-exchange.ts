import { plainExchange } from "./plain.ts";
import { scramExchange } from "./scram.ts";
import type { SaslMechanism, Users } from "./users.ts";

/** The server's side of one authentication. */
export interface SaslExchange {
  /** Answers the client's next token. Throws AuthenticationFailed. */
  next(token: Buffer): Promise<SaslStep>;
}

export interface SaslStep {
  readonly reply: Buffer;
  /** Set when the exchange is complete. */
  readonly user?: string;
}

export function startExchange(mechanism: SaslMechanism, users: Users): SaslExchange {
  return mechanism === "PLAIN" ? plainExchange(users) : scramExchange(mechanism, users);
}
