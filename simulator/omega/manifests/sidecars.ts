import type { V1Container } from "@kubernetes/client-node";
import { DEPLOYMENTS, splitPrincipal } from "./identities.ts";
import { environmentOf, hardening, podReference } from "./container.ts";
import { IDENTITY_DIRECTORY } from "./pod-options.ts";
import type { PodOptions } from "./pod-options.ts";
import type { SidecarSite } from "./site.ts";
import { FORWARDER_STATE_DIRECTORY, mountsFor } from "./volumes.ts";

/**
 * Returns the sidecar that writes the certificate of the job's principal. It is absent without
 * requireTLSCerts, and where the platform adds its own. The start of the app does not wait for it.
 */
export function identitySidecar(options: PodOptions): V1Container | undefined {
  const { identity } = options.site;
  if (!options.omega.requireTLSCerts || identity === undefined) return undefined;
  const { domain, service } = splitPrincipal(DEPLOYMENTS[options.job].principal);
  return sidecar("identity", options, identity, {
    ATHENZ_DOMAIN: domain,
    ATHENZ_SERVICE: service,
    SIA_OUTPUT_DIR: IDENTITY_DIRECTORY,
  });
}

/**
 * Returns the sidecar that forwards the files of `custom.appLogsDirs`. It is absent without
 * `sidecars.splunk`, and where the platform adds its own.
 */
export function splunkSidecar(options: PodOptions): V1Container | undefined {
  const { omega, site } = options;
  const { splunk } = omega.sidecars;
  if (splunk === undefined || site.splunk === undefined) return undefined;
  return sidecar("splunk", options, site.splunk, {
    SPLUNK_INSTANCE: splunk.instance,
    SPLUNK_CLIENT_NAME: splunk.omegaSplunkClientName,
    SPLUNK_LOG_DIRS: omega.custom.appLogsDirs.join(":"),
    SPLUNK_STATE_DIR: FORWARDER_STATE_DIRECTORY,
  });
}

function sidecar(
  name: "identity" | "splunk",
  { omega, job }: PodOptions,
  site: SidecarSite,
  values: Readonly<Record<string, string>>,
): V1Container {
  const { image, command, args, environment } = site;
  return {
    name,
    image,
    ...(command && { command: [...command] }),
    ...(args && { args: [...args] }),
    // An init container that keeps running is started before the app and stopped after it.
    restartPolicy: "Always",
    env: [...podReference(), ...environmentOf({ ...values, ...environment })],
    volumeMounts: mountsFor(omega, job, name),
    ...hardening(omega),
  };
}
