import type { Authority } from "#fixtures/certificates.ts";
import type { CommonArguments } from "#e2e/base/run-arguments.ts";
import type { Platform } from "#e2e/targets/platform.ts";
import type { BrokerPlace } from "./container/started-broker.ts";
import type { BrokerProvider } from "./broker-provider.ts";
import { embeddedBrokers } from "./embedded/embedded-provider.ts";

export interface BrokerProviderOptions {
  readonly run: Pick<CommonArguments, "broker">;
  readonly platform: Pick<Platform, "kitHost" | "brokerPlace">;
  readonly authority: Authority;
  /** The number of scenarios at the same time. */
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** Shows a line of progress. */
  readonly line: (text: string) => void;
}

/** Returns the container engine as the place for a broker. The client of the engine is loaded only here. */
async function containerPlace(): Promise<BrokerPlace> {
  const { startContainer } = await import("./container/start-container.ts");
  return { start: startContainer, dnsNames: [] };
}

/** The largest number of deployments that a scenario has at the same time. */
const DEPLOYMENTS_PER_SCENARIO = 2;

/**
 * Starts the provider of the brokers of a run. The modules that need Docker or an external broker are loaded only when
 * they are used.
 */
export async function startBrokerProvider(options: BrokerProviderOptions): Promise<BrokerProvider> {
  const { run, platform, authority, jobs, signal, line } = options;
  const host = platform.kitHost;
  const { broker } = run;
  if (broker.kind === "embedded") return embeddedBrokers({ authority, host });
  if (broker.kind === "external") {
    const { connectExternalBrokers } = await import("./external/external-provider.ts");
    return await connectExternalBrokers(broker);
  }
  const startMs = performance.now();
  const [{ startSharedBroker }, { selectSoftware }] = await Promise.all([
    import("./container/shared-broker-provider.ts"),
    import("./container/select-software.ts"),
  ]);
  const software = selectSoftware(broker.kind, broker.image);
  const provider = await startSharedBroker({
    software,
    place: platform.brokerPlace ?? (await containerPlace()),
    authority,
    host,
    deploymentsMax: jobs * DEPLOYMENTS_PER_SCENARIO,
    signal,
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  line(`${seconds} s`.padStart(8).padEnd(10) + `start ${software.image}: done`);
  return provider;
}
