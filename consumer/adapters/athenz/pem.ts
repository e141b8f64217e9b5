import { createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { isUtf8 } from "node:buffer";

/** The reason why a PEM file cannot be used. It names the line but not the content, which may be a key. */
export class PemFault extends Error {
  override readonly name = "PemFault";
}

interface Certificate {
  readonly line: number;
  readonly pem: string;
  readonly x509: X509Certificate;
}

/** The certificates that are valid at present, and what is odd about the others. */
export interface Authorities {
  readonly pem: string;
  readonly odd: readonly string[];
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;
const CERTIFICATE = /^(?:X509 |TRUSTED )?CERTIFICATE$/;

/**
 * Reads a bundle of trusted authorities. Every block is checked, since TLS silently stops at the first one that it
 * cannot read.
 */
export function readAuthorities(bytes: Buffer, nowMs: number): Authorities {
  const certificates = certificatesOf(textOf(bytes));
  const held = certificates.filter(({ x509 }) => nowMs < x509.validToDate.getTime());
  const expired = certificates.filter((certificate) => !held.includes(certificate));
  const odd = expired.map(({ line, x509 }) => `line ${String(line)}: ${expiredAt(x509)}`);
  if (certificates.length === 0) throw new PemFault("holds no certificate");
  if (held.length === 0) throw new PemFault(odd.join("; "));
  if (!held.some(({ x509 }) => x509.ca || x509.checkIssued(x509))) {
    throw new PemFault("holds no certificate of an authority: who signs our peers is not in it");
  }
  return {
    pem: held.map(({ pem }) => `${pem}\n`).join(""),
    odd: odd.map((what) => `${what}: left out`),
  };
}

/** Reads a certificate and, after it, those that lead to its authority. */
export function readChain(bytes: Buffer): {
  readonly pem: string;
  readonly chain: readonly [X509Certificate, ...X509Certificate[]];
} {
  const pem = textOf(bytes);
  const [leaf, ...others] = certificatesOf(pem).map(({ x509 }) => x509);
  if (leaf === undefined) throw new PemFault("holds no certificate");
  return { pem, chain: [leaf, ...others] };
}

export function readPrivateKey(bytes: Buffer): { readonly pem: string; readonly key: KeyObject } {
  const pem = textOf(bytes);
  if (/-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw new PemFault("is encrypted: must be a key without a passphrase");
  }
  try {
    return { pem, key: createPrivateKey(pem) };
  } catch {
    // The message of the parser may quote the input.
    throw new PemFault("is not valid PEM of a private key");
  }
}

function textOf(bytes: Buffer): string {
  if (bytes.length === 0) throw new PemFault("is empty");
  if (bytes[0] === 0x30 && !bytes.includes("-----BEGIN ")) throw new PemFault(DER);
  // These are control characters but tab and line breaks; some programs do not read what follows a NUL.
  const text = isUtf8(bytes) ? bytes.toString("utf8") : "\0";
  if (/(?![\t\n\v\f\r])\p{Cc}/u.test(text)) throw new PemFault("is not PEM text");
  return text;
}

const DER = "is DER, not PEM text: convert it with openssl, -inform DER";

function certificatesOf(text: string): Certificate[] {
  const lineAt = (offset: number): number => text.slice(0, offset).split("\n").length;
  const blocks = [...text.matchAll(BLOCK)];
  // Text between the blocks is for people, as long as it is not a part of a block.
  const between = text.replace(BLOCK, (block) => block.replaceAll(/[^\n]/g, " "));
  const torn = /-----(BEGIN|END) /.exec(between);
  if (torn !== null) {
    const what =
      torn[1] === "BEGIN" ? "begins a block that does not end" : "ends a block that does not begin";
    throw new PemFault(`line ${String(lineAt(torn.index))}: ${what}`);
  }
  return blocks.map(({ 0: pem, 1: label = "", index }) => {
    const line = lineAt(index);
    if (label.endsWith("PRIVATE KEY")) {
      throw new PemFault(`line ${String(line)}: holds a private key, which does not belong here`);
    }
    if (!CERTIFICATE.test(label)) throw new PemFault(`line ${String(line)}: is no CERTIFICATE`);
    try {
      return { line, pem, x509: new X509Certificate(pem) };
    } catch {
      throw new PemFault(`line ${String(line)}: is not a certificate that can be read`);
    }
  });
}

function expiredAt({ validToDate }: X509Certificate): string {
  return `expired at ${validToDate.toISOString()}`;
}
