import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";

const GS2_HEADER = "n,,";

export type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-512";

/** The client's side of RFC 5802, message by message, so that a test can stop between any two. */
export class ScramClient {
  readonly #digest: "sha256" | "sha512";
  readonly #password: string;
  readonly #firstBare: string;
  #serverSignature = "";

  constructor(mechanism: ScramMechanism, user: string, password: string) {
    this.#digest = mechanism === "SCRAM-SHA-256" ? "sha256" : "sha512";
    this.#password = password;
    const name = user.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#firstBare = `n=${name},r=${randomBytes(18).toString("base64url")}`;
  }

  first(): Buffer {
    return Buffer.from(`${GS2_HEADER}${this.#firstBare}`);
  }

  /** Returns the answer to the server's first message. */
  final(serverFirst: Buffer): Buffer {
    const [, nonce = "", salt = "", iterations = ""] =
      /^r=([^,]*),s=([^,]*),i=(\d+)$/.exec(String(serverFirst)) ?? [];
    const length = createHash(this.#digest).digest().length;
    const salted = pbkdf2Sync(
      this.#password,
      Buffer.from(salt, "base64"),
      Number(iterations),
      length,
      this.#digest,
    );
    const clientKey = this.#hmac(salted, "Client Key");
    const storedKey = createHash(this.#digest).update(clientKey).digest();
    const withoutProof = `c=${Buffer.from(GS2_HEADER).toString("base64")},r=${nonce}`;
    const signed = `${this.#firstBare},${String(serverFirst)},${withoutProof}`;
    const signature = this.#hmac(storedKey, signed);
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
    const serverKey = this.#hmac(salted, "Server Key");
    this.#serverSignature = this.#hmac(serverKey, signed).toString("base64");
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString("base64")}`);
  }

  /** Tells whether the server has proved that it knows the password too. */
  trusts(serverFinal: Buffer): boolean {
    return String(serverFinal) === `v=${this.#serverSignature}`;
  }

  #hmac(key: Uint8Array, text: string): Buffer {
    return createHmac(this.#digest, key).update(text).digest();
  }
}
