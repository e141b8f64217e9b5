import type { StepsOptions } from "#kind/steps.ts";
import type { CommonArguments } from "#e2e/base/run-arguments.ts";
import { BROKER_IMAGES } from "#e2e/brokers/container/images.ts";
import { localPlatform } from "./local/local-platform.ts";
import type { Platform } from "./platform.ts";

export interface StartPlatformOptions {
  readonly run: CommonArguments & { readonly realTime: boolean };
  readonly compileCache: string;
  readonly signal: AbortSignal;
  /** Shows a line of progress. */
  readonly line: (text: string) => void;
  /** Called at the end of the run. Returns true when everything that was made for the run is kept. */
  readonly keepAtEnd: () => boolean;
  /** A copy of this repository whose consumer the pods run, on the target local only. Defaults to this repository. */
  readonly consumerDirectory?: string;
}

/** Starts the target that the arguments select. Throws StepError when a cluster cannot be brought up. */
export async function startPlatform(options: StartPlatformOptions): Promise<Platform> {
  const { run, compileCache, signal, line, keepAtEnd, consumerDirectory } = options;
  const { realTime } = run;
  // The other targets are loaded only when they are used, so that the local one need not wait for the Kubernetes
  // client.
  if (run.target === "local") return localPlatform({ realTime, compileCache, consumerDirectory });
  const steps = { realTime, signal, keep: run.keep === "always", onStep: stepLines(line) };
  if (run.kubernetes !== null) {
    const { startContextPlatform } = await import("./kubernetes/context-platform.ts");
    return await startContextPlatform({ ...run.kubernetes, ...steps });
  }
  const { startKindPlatform } = await import("./kind/kind-platform.ts");
  return await startKindPlatform({
    ...run.kind,
    ...steps,
    keepAtEnd,
    brokerImage: brokerImageOf(run.broker),
  });
}

/** Returns the image of a broker that will run in the cluster, or null when none will. */
function brokerImageOf(broker: CommonArguments["broker"]): string | null {
  if (broker.kind === "embedded" || broker.kind === "external") return null;
  return broker.image ?? BROKER_IMAGES[broker.kind];
}

function stepLines(line: (text: string) => void): StepsOptions["onStep"] {
  return ({ title, state, durationMs, text }) => {
    const said = text === undefined ? "" : `: ${text}`;
    const took = durationMs === undefined ? "" : `${(durationMs / 1000).toFixed(1)} s`.padStart(8);
    if (state !== "started") line(`${took.padEnd(9)} ${title}: ${state}${said}`);
  };
}
