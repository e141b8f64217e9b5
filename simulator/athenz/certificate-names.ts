// oxlint-disable-next-line import/no-unassigned-import -- has to run before @peculiar/x509 loads
import "#fixtures/reflect-metadata.ts";

import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { ResourceError } from "./zms.ts";

/** The names in a PKCS#10 request. */
interface RequestNames {
  readonly commonName: string | undefined;
  readonly dnsNames: string[];
  readonly uris: string[];
}

/** Reads the names of a PKCS#10 request in PEM. Throws when it cannot be read. */
export function namesOf(csr: string): RequestNames {
  const request = new Pkcs10CertificateRequest(csr);
  const items = request.extensions
    .filter((extension) => extension instanceof SubjectAlternativeNameExtension)
    .flatMap(({ names }) => names.items);
  return {
    commonName: request.subjectName.getField("CN")[0],
    dnsNames: items.filter(({ type }) => type === "dns").map(({ value }) => value),
    uris: items.filter(({ type }) => type === "url").map(({ value }) => value),
  };
}

/**
 * Reads the instance id from the request's URI `athenz://instanceid/<provider>/<id>`. Throws
 * ResourceError 400 when there is none.
 */
export function instanceIdOf(uris: readonly string[], provider: string): string {
  const prefix = `athenz://instanceid/${provider}/`;
  const instanceId = uris.find((uri) => uri.startsWith(prefix))?.slice(prefix.length);
  if (instanceId === undefined || instanceId === "") {
    throw new ResourceError(400, `the request has no URI ${prefix}<id>`);
  }
  return instanceId;
}

/**
 * Returns the instance that a certificate request names, or null when it names none or cannot be
 * read.
 */
export function requestedInstance(csr: string, provider: string): string | null {
  try {
    return instanceIdOf(namesOf(csr).uris, provider);
  } catch {
    return null;
  }
}
