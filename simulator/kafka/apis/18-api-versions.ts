import { array, int16, int32, since, string, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { defineApi } from "./define.ts";
import type { Api } from "./define.ts";

export const API_VERSIONS_KEY = 18;

const response = struct({
  errorCode: int16,
  apiKeys: array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 })),
  throttleTimeMs: since(1, int32, 0),
});

/** The form of a client's software name and version (KIP-511). */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;
const SOFTWARE_VERSION = 3;

/**
 * Defines ApiVersions. `served` is called at every request, because this API is one of those that
 * it lists.
 */
export function defineApiVersions(served: () => Iterable<Api>) {
  return defineApi({
    key: API_VERSIONS_KEY,
    name: "ApiVersions",
    versions: [0, 4],
    flexibleFrom: 3,
    // A client that does not know our versions yet must be able to read the answer.
    plainResponseHeader: true,
    request: struct({
      clientSoftwareName: since(3, string, ""),
      clientSoftwareVersion: since(3, string, ""),
    }),
    response,
    handle({ clientSoftwareName, clientSoftwareVersion }, { version }) {
      const isNamed = SOFTWARE.test(clientSoftwareName) && SOFTWARE.test(clientSoftwareVersion);
      if (version >= SOFTWARE_VERSION && !isNamed) {
        return { errorCode: errorCode("INVALID_REQUEST"), apiKeys: [] };
      }
      return { errorCode: 0, apiKeys: listed(served()) };
    },
    refuse: (_request, error) => ({ errorCode: error, apiKeys: [] }),
  });
}

/**
 * Returns version 0 of the answer to a version that is not served. Every client can read it and
 * learns which versions are served.
 */
export function unsupportedVersion(api: Api) {
  const answer = { errorCode: errorCode("UNSUPPORTED_VERSION"), apiKeys: listed([api]) };
  return { codec: response, answer };
}

function listed(served: Iterable<Api>) {
  return [...served].map(({ key, versions, versionShown }) => ({
    apiKey: key,
    minVersion: versionShown ?? versions[0],
    maxVersion: versions[1],
  }));
}
