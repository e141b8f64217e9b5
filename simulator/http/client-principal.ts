import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/**
 * Returns the common name of the verified client certificate, which is the Athenz principal.
 * Returns null without a certificate, or when it does not verify.
 */
export function clientPrincipal(socket: Socket): string | null {
  return commonName(socket, "subject");
}

/**
 * Returns the common name of the authority that issued the client certificate. Returns null without
 * a certificate, or when it does not verify.
 */
export function clientIssuer(socket: Socket): string | null {
  return commonName(socket, "issuer");
}

function commonName(socket: Socket, field: "subject" | "issuer"): string | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const names: { CN?: string | string[] } | undefined = socket.getPeerCertificate()[field];
  const name = names?.CN;
  return typeof name === "string" ? name : null;
}
