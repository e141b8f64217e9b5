import type { V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import type { OmegaJob } from "./identities.ts";
import { IDENTITY_DIRECTORY } from "./pod-options.ts";
import type { PodOptions } from "./pod-options.ts";
import type { Omega } from "#simulator/omega/document/schema.ts";

export const FORWARDER_STATE_DIRECTORY = "/var/lib/splunk-forwarder";

/** A volume and its place in each container. */
interface Placement {
  readonly volume: V1Volume;
  readonly mounts: Partial<Record<"app" | "identity" | "splunk", Omit<V1VolumeMount, "name">>>;
}

export function podVolumes({ omega, job, site, configMapName }: PodOptions): V1Volume[] {
  // The files of the platform's own forwarder are the platform's concern.
  return placements(omega, job, configMapName)
    .filter(({ mounts }) => mounts.app !== undefined || mounts.identity || site.splunk)
    .map((placement) => placement.volume);
}

export function mountsFor(
  omega: Omega,
  job: OmegaJob,
  container: "app" | "identity" | "splunk",
): V1VolumeMount[] {
  return placements(omega, job, "").flatMap(({ volume, mounts }) => {
    const mount = mounts[container];
    return mount === undefined ? [] : [{ name: volume.name, ...mount }];
  });
}

function placements(omega: Omega, job: OmegaJob, configMapName: string): Placement[] {
  const found: Placement[] = [];
  for (const { name, mountPath } of omega.configMounts) {
    found.push({
      volume: { name, configMap: { name: configMapName } },
      mounts: { app: { mountPath, readOnly: true } },
    });
  }
  for (const { name, claimName, mountPath } of claimMounts(omega, job)) {
    found.push({
      volume: { name, persistentVolumeClaim: { claimName } },
      mounts: { app: { mountPath } },
    });
  }
  if (omega.requireTLSCerts) {
    found.push({
      // The volume is in memory: a private key never reaches a disk.
      volume: { name: "athenz", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      mounts: {
        app: { mountPath: IDENTITY_DIRECTORY, readOnly: true },
        identity: { mountPath: IDENTITY_DIRECTORY },
      },
    });
  }
  for (const [index, mountPath] of omega.custom.appLogsDirs.entries()) {
    found.push({
      volume: { name: `logs-${index}`, emptyDir: { sizeLimit: "256Mi" } },
      mounts: {
        app: { mountPath },
        ...(omega.sidecars.splunk && { splunk: { mountPath, readOnly: true } }),
      },
    });
  }
  if (omega.sidecars.splunk) {
    found.push({
      volume: { name: "splunk-state", emptyDir: { sizeLimit: "16Mi" } },
      mounts: { splunk: { mountPath: FORWARDER_STATE_DIRECTORY } },
    });
  }
  for (const { name, mountPath, sizeLimit } of omega.scratchDirs) {
    found.push({ volume: { name, emptyDir: { sizeLimit } }, mounts: { app: { mountPath } } });
  }
  return found;
}

/** Returns the claims to mount: the job's claims replace the top-level ones of the same name. */
export function claimMounts(omega: Omega, job: OmegaJob): Omega["pvcMounts"] {
  const byName = new Map(omega.pvcMounts.map((mount) => [mount.name, mount]));
  for (const mount of omega.jobs[job].pvcMounts) byName.set(mount.name, mount);
  return [...byName.values()];
}
