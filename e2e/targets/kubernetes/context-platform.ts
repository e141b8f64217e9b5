import type { StepsOptions } from "#kind/steps.ts";
import { configOf } from "#simulator/omega/context.ts";
import type { KubernetesArguments } from "#e2e/base/run-arguments.ts";
import { startKubernetesPlatform } from "./kubernetes-platform.ts";
import type { Platform } from "#e2e/targets/platform.ts";

export interface ContextPlatformOptions extends StepsOptions, KubernetesArguments {
  readonly realTime: boolean;
  readonly signal: AbortSignal;
}

/**
 * Starts the target kubernetes in any cluster of this user's kubeconfig that has the storage class of deploy_target.
 * The nodes of that cluster are out of reach.
 */
export async function startContextPlatform(options: ContextPlatformOptions): Promise<Platform> {
  return await startKubernetesPlatform({
    ...options,
    config: configOf(options.context),
    consumerImage: options.image,
    nodes: null,
  });
}
