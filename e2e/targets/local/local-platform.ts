import { durationsOf } from "#e2e/base/durations.ts";
import { SIDECAR_IMAGES, startLocalTarget } from "./local-target.ts";
import type { Platform } from "#e2e/targets/platform.ts";
import { TARGET_ABILITIES } from "#e2e/targets/target-abilities.ts";

export interface LocalPlatformOptions {
  readonly realTime: boolean;
  /** A directory of compiled code that all processes of the run share. */
  readonly compileCache: string;
  /** A copy of this repository whose consumer the pods run. Defaults to this repository. */
  readonly consumerDirectory?: string | undefined;
}

const LOOPBACK = "127.0.0.1";

/** Returns the target local, whose pods are processes of this host. */
export function localPlatform(options: LocalPlatformOptions): Platform {
  const { realTime, compileCache, consumerDirectory } = options;
  const durations = durationsOf(realTime, "local");
  return {
    abilities: TARGET_ABILITIES.local,
    unseen: [],
    durations,
    image: "docker.ouroath.com:4443/yahoo/kafka_consumer:e2e",
    sidecars: {
      identity: { image: SIDECAR_IMAGES.identity },
      splunk: { image: SIDECAR_IMAGES.splunk },
    },
    environment: { NODE_COMPILE_CACHE: compileCache },
    kitHost: LOOPBACK,
    expose: async () => ({ [Symbol.asyncDispose]: async () => {} }),
    startTarget: (directory) =>
      startLocalTarget({ directory, timing: durations.cluster, compileCache, consumerDirectory }),
    [Symbol.asyncDispose]: async () => {},
  };
}
