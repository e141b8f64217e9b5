import { isIP } from "node:net";

const LOOPBACK = "127.0.0.1";

/** Returns the subject alternative names of a server that listens on loopback and that pods reach at `host`. */
export function alternativeNames(host: string, dnsNames: readonly string[] = []) {
  return {
    dnsNames: ["localhost", ...(isIP(host) === 0 ? [host] : []), ...dnsNames],
    ipAddresses: [...new Set([LOOPBACK, ...(isIP(host) === 0 ? [] : [host])])],
  };
}
