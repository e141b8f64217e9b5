import type { SaslExchange } from "./sasl-exchange.ts";
import { AuthenticationFailed } from "./authentication-failed.ts";
import type { Users } from "./users.ts";

/** Starts an exchange of RFC 4616: one token `[authorization id] NUL user NUL password`. */
export function plainExchange(users: Users): SaslExchange {
  return {
    next(token) {
      const [authorizationId, user, password, ...rest] = token.toString("utf8").split("\0");
      const isWhole = user !== undefined && password !== undefined && rest.length === 0;
      const isSelf = authorizationId === "" || authorizationId === user;
      if (!isWhole || !isSelf || !users.verifyPassword(user, password)) {
        // This is the wording of Apache Kafka's PlainSaslServer.
        const message = "Authentication failed: Invalid username or password";
        return Promise.reject(new AuthenticationFailed(message));
      }
      return Promise.resolve({ reply: Buffer.alloc(0), user });
    },
  };
}
