import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** Common name of the verified client certificate: the Athenz principal. null without one, or when it does not verify. */
export function clientPrincipal(socket: Socket): string | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const subject: { CN?: string | string[] } | undefined = socket.getPeerCertificate().subject;
  const commonName = subject?.CN;
  return typeof commonName === "string" ? commonName : null;
}
