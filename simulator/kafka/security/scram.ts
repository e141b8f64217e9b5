import { randomBytes, timingSafeEqual } from "node:crypto";
import type { SaslExchange, SaslStep } from "./sasl-exchange.ts";
import { AuthenticationFailed } from "./authentication-failed.ts";
import { digest, hmac } from "./users.ts";
import type { ScramCredential, ScramMechanism, Users } from "./users.ts";

/**
 * Starts an exchange of RFC 5802 without channel binding: client-first, server-first, client-final,
 * server-final.
 */
export function scramExchange(mechanism: ScramMechanism, users: Users): SaslExchange {
  let first: ClientFirst | undefined;
  let challenge: Challenge | undefined;
  return {
    async next(token): Promise<SaslStep> {
      const message = token.toString("utf8");
      if (first === undefined) {
        first = parseClientFirst(message, mechanism);
        const credential = await users.scram(first.user, mechanism);
        if (credential === undefined) throw failed(mechanism);
        challenge = newChallenge(first, credential);
        return { reply: Buffer.from(challenge.serverFirst) };
      }
      if (challenge === undefined) throw failed(mechanism);
      const reply = verifyClientFinal(message, first, challenge, mechanism);
      challenge = undefined;
      return { reply: Buffer.from(reply), user: first.user };
    },
  };
}

interface ClientFirst {
  readonly user: string;
  readonly nonce: string;
  readonly gs2Header: string;
  /** The message without its GS2 header: the first part of the signed text. */
  readonly bare: string;
}

interface Challenge {
  readonly nonce: string;
  readonly serverFirst: string;
  readonly credential: ScramCredential;
}

function parseClientFirst(message: string, mechanism: ScramMechanism): ClientFirst {
  const match = /^(n,(?:a=[^,]*)?,)((?:m=[^,]*,)?n=([^,]*),r=([^,]+)(?:,.*)?)$/s.exec(message);
  const [, gs2Header, bare, name, nonce] = match ?? [];
  if (gs2Header === undefined || bare === undefined || name === undefined || nonce === undefined) {
    throw failed(mechanism);
  }
  const user = name.replaceAll("=2C", ",").replaceAll("=3D", "=");
  return { user, nonce, gs2Header, bare };
}

function newChallenge(first: ClientFirst, credential: ScramCredential): Challenge {
  const nonce = `${first.nonce}${randomBytes(18).toString("base64url")}`;
  const salt = credential.salt.toString("base64");
  return { nonce, serverFirst: `r=${nonce},s=${salt},i=${credential.iterations}`, credential };
}

function verifyClientFinal(
  message: string,
  first: ClientFirst,
  challenge: Challenge,
  mechanism: ScramMechanism,
): string {
  const match = /^(c=([^,]*),r=([^,]*)(?:,.*?)?),p=([^,]*)$/s.exec(message);
  const [, withoutProof, binding, nonce, proofText] = match ?? [];
  if (withoutProof === undefined || nonce === undefined || proofText === undefined) {
    throw failed(mechanism);
  }
  // Only the end is compared, as in Apache Kafka: librdkafka up to 2.5 repeats its own part in
  // front.
  if (!nonce.endsWith(challenge.nonce)) throw failed(mechanism);
  if (binding !== Buffer.from(first.gs2Header).toString("base64")) throw failed(mechanism);
  const signed = `${first.bare},${challenge.serverFirst},${withoutProof}`;
  const { storedKey, serverKey } = challenge.credential;
  const signature = hmac(mechanism, storedKey, signed);
  const proof = Buffer.from(proofText, "base64");
  if (proof.length !== signature.length) throw failed(mechanism);
  const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] ?? 0)));
  if (!timingSafeEqual(digest(mechanism, clientKey), storedKey)) throw failed(mechanism);
  return `v=${hmac(mechanism, serverKey, signed).toString("base64")}`;
}

/**
 * Returns the same error for every reason, in the words of Apache Kafka's SaslServerAuthenticator.
 */
function failed(mechanism: ScramMechanism): AuthenticationFailed {
  return new AuthenticationFailed(
    `Authentication failed during authentication due to invalid credentials with SASL mechanism ${mechanism}`,
  );
}
