import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

export type SaslMechanism = "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";

export type ScramMechanism = Exclude<SaslMechanism, "PLAIN">;

/** The data that a SCRAM server stores for a password (RFC 5802). */
export interface ScramCredential {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

const ITERATIONS = 4096;
const DIGEST = { "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512" } as const;
const KEY_BYTES = { "SCRAM-SHA-256": 32, "SCRAM-SHA-512": 64 } as const;

const derive = promisify(pbkdf2);

/**
 * The users and their passwords, which may be changed while the broker runs. SCRAM credentials are
 * derived at their first use, because a start must not wait for 4096 iterations of a hash.
 */
export class Users {
  readonly #users = new Map<string, UserEntry>();

  constructor(users: Readonly<Record<string, string>> = {}) {
    for (const [name, password] of Object.entries(users)) this.set(name, password);
  }

  /** Adds a user or changes the password. Connections that are already authenticated stay. */
  set(name: string, password: string): void {
    this.#users.set(name, { password, scram: new Map() });
  }

  delete(name: string): void {
    this.#users.delete(name);
  }

  verifyPassword(name: string, password: string): boolean {
    const user = this.#users.get(name);
    return user !== undefined && timingSafeEqual(sha256(user.password), sha256(password));
  }

  /** Returns undefined for an unknown user. */
  scram(name: string, mechanism: ScramMechanism): Promise<ScramCredential> | undefined {
    const user = this.#users.get(name);
    if (user === undefined) return undefined;
    const known = user.scram.get(mechanism);
    if (known !== undefined) return known;
    const credential = deriveCredential(user.password, mechanism);
    user.scram.set(mechanism, credential);
    return credential;
  }
}

interface UserEntry {
  readonly password: string;
  readonly scram: Map<ScramMechanism, Promise<ScramCredential>>;
}

export function digest(mechanism: ScramMechanism, data: Buffer): Buffer {
  return createHash(DIGEST[mechanism]).update(data).digest();
}

export function hmac(mechanism: ScramMechanism, key: Buffer, data: string): Buffer {
  return createHmac(DIGEST[mechanism], key).update(data).digest();
}

async function deriveCredential(
  password: string,
  mechanism: ScramMechanism,
): Promise<ScramCredential> {
  const salt = randomBytes(24);
  const salted = await derive(password, salt, ITERATIONS, KEY_BYTES[mechanism], DIGEST[mechanism]);
  return {
    salt,
    iterations: ITERATIONS,
    storedKey: digest(mechanism, hmac(mechanism, salted, "Client Key")),
    serverKey: hmac(mechanism, salted, "Server Key"),
  };
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
