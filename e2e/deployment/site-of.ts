import type { Site } from "#simulator/omega/manifests/site.ts";
import { memoryFaultEnvironment } from "#e2e/targets/memory-fault.ts";
import type { Platform } from "#e2e/targets/platform.ts";
import type { DeploymentOptions } from "./deployment-options.ts";
import type { Services } from "./services.ts";

/** Returns the sidecars and the environment of the pods, which connect them to the services of the deployment. */
export function siteOf(services: Services, platform: Platform, options: DeploymentOptions): Site {
  const { sidecars, environment, kitHost } = platform;
  return {
    identity: {
      ...sidecars.identity,
      environment: {
        ZTS_URL: services.addresses.zts,
        ZTS_CA: services.athenz.authority.certificatePem,
        SIA_DELAY_SECONDS: String(options.certificateDelaySeconds ?? 0),
        SIA_RETRY_SECONDS: "0.1",
        ...environment,
      },
    },
    splunk: {
      ...sidecars.splunk,
      environment: { SPLUNK_INSTANCE: services.addresses.splunk, ...environment },
    },
    appEnvironment: {
      ...environment,
      ...faultEnvironment(
        services.podFaults?.environment(kitHost),
        options.memoryFaults === true ? memoryFaultEnvironment() : undefined,
        options.nodeOptions === undefined ? undefined : { NODE_OPTIONS: options.nodeOptions },
      ),
    },
  };
}

/** Merges environments. Node has a single variable for its options, so their values are joined. */
function faultEnvironment(
  ...parts: readonly (Readonly<Record<string, string>> | undefined)[]
): Readonly<Record<string, string>> {
  const variables = parts.flatMap((part) => Object.entries(part ?? {}));
  const options = variables.filter(([name]) => name === "NODE_OPTIONS").map(([, value]) => value);
  return {
    ...Object.fromEntries(variables),
    ...(options.length > 0 && { NODE_OPTIONS: options.join(" ") }),
  };
}
