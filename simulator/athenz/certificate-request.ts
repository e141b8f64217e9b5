import { generateKeyPairSync, sign } from "node:crypto";

export interface CertificateRequest {
  readonly privateKeyPem: string;
  /** The PKCS#10 request as PEM. */
  readonly requestPem: string;
}

/**
 * Creates a fresh P-256 key and a PKCS#10 request for it. The request is encoded by hand, because
 * the sidecar starts with every pod and loading an ASN.1 library would take longer than everything
 * else. RFC 2986 (request), RFC 5280 (names), RFC 5758 (signature).
 */
export function createKeyAndRequest(names: {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
}): CertificateRequest {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const information = sequence(
    INTEGER_ZERO,
    sequence(set(sequence(COMMON_NAME, der(0x0c, Buffer.from(names.commonName))))),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa0, extensionRequest(subjectAlternativeNames(names.dnsNames, names.uris))),
  );
  const signature = sign("sha256", information, privateKey);
  const request = sequence(
    information,
    sequence(ECDSA_WITH_SHA256),
    der(0x03, Buffer.from([0]), signature),
  );
  return {
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    requestPem: pem("CERTIFICATE REQUEST", request),
  };
}

const INTEGER_ZERO = Buffer.from([0x02, 0x01, 0x00]);
/** 2.5.4.3 */
const COMMON_NAME = Buffer.from("0603550403", "hex");
/** 2.5.29.17 */
const SUBJECT_ALTERNATIVE_NAME = Buffer.from("0603551d11", "hex");
/** 1.2.840.113549.1.9.14 */
const EXTENSION_REQUEST = Buffer.from("06092a864886f70d01090e", "hex");
/** 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = Buffer.from("06082a8648ce3d040302", "hex");

function extensionRequest(extension: Buffer): Buffer {
  return sequence(EXTENSION_REQUEST, set(sequence(extension)));
}

function subjectAlternativeNames(dnsNames: readonly string[], uris: readonly string[]): Buffer {
  const names = [
    ...dnsNames.map((name) => der(0x82, Buffer.from(name, "ascii"))),
    ...uris.map((uri) => der(0x86, Buffer.from(uri, "ascii"))),
  ];
  return sequence(SUBJECT_ALTERNATIVE_NAME, der(0x04, sequence(...names)));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function set(...parts: readonly Buffer[]): Buffer {
  return der(0x31, ...parts);
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), derLength(content.length), content]);
}

function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 + bytes.length, ...bytes]);
}

function pem(label: string, content: Buffer): string {
  const lines = content.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
