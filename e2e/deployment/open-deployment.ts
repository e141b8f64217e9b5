import { parseConfig } from "#consumer/config/load-config.ts";
import { TestDeployment } from "./test-deployment.ts";
import type {
  DeployedConfiguration,
  DeploymentEnvironment,
  DeploymentOptions,
} from "./deployment-options.ts";
import { startServices } from "./services.ts";
import type { Services } from "./services.ts";

/** Returns the place where the pods look for the password of the broker. */
function secretPlaceOf({ text }: DeployedConfiguration) {
  const { ckms, kafka } = parseConfig(text, "config.yaml");
  return { keyGroup: ckms.keyGroup, name: kafka.sasl.passwordSecret };
}

/**
 * Starts the services and the target, and deploys the application. Resolves when the objects are applied, while the
 * pods are still starting.
 */
export async function openDeployment(
  options: DeploymentOptions,
  environment: DeploymentEnvironment,
): Promise<TestDeployment> {
  const stack = new AsyncDisposableStack();
  try {
    const { platform, brokers, authority } = environment;
    const { configuration } = options;
    const job = configuration?.job ?? "component";
    const target = await platform.startTarget(environment.directory, job);
    let services: Services | undefined;
    let exposed: AsyncDisposable | undefined;
    // The services are registered first, so that pods end before their servers. Pods without servers would only fill
    // their logs.
    stack.defer(async () => await services?.[Symbol.asyncDispose]());
    stack.defer(async () => await exposed?.[Symbol.asyncDispose]());
    stack.use(target);
    services = await startServices({
      host: platform.kitHost,
      partitions: options.partitions ?? 2,
      brokerNodes: options.brokerNodes ?? 1,
      granted: options.granted ?? true,
      mutualTls: options.mutualTls ?? configuration !== undefined,
      job,
      ...(configuration && { secret: secretPlaceOf(configuration) }),
      brokers,
      authority,
      podFaults: options.podFaults === true ? environment.recordEvent : undefined,
    });
    exposed = await platform.expose(services.ports);
    if (options.certificatesWithheld === true) await services.athenz.control.withholdCertificates();
    const deployment = new TestDeployment(services, target, stack, options, environment);
    await deployment.apply();
    return deployment;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
