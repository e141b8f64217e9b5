import type { PathTable } from "./path-table.ts";
import type { PodPorts } from "#simulator/kubelet/pod/pod-ports.ts";
import type { ConfigMapObject } from "#simulator/kubelet/validation/supported-objects.ts";
import type { ContainerSpec } from "#simulator/kubelet/validation/supported-pod.ts";
import type { LocalImage } from "#simulator/kubelet/types.ts";

export interface EnvironmentSources {
  readonly container: ContainerSpec;
  readonly image: LocalImage;
  readonly paths: PathTable;
  readonly mountinfoPath: string;
  readonly ports: PodPorts;
  readonly podName: string;
  /**
   * Returns the value of a downward API field. Throws ClusterError for a field that is not
   * implemented.
   */
  readonly field: (fieldPath: string) => string;
  readonly configMap: (name: string) => ConfigMapObject | undefined;
}

/** A required ConfigMap or key is missing: the container waits, as under a kubelet. */
export class MissingConfigError extends Error {
  override readonly name = "MissingConfigError";
}

/**
 * Builds the environment of the container: first that of the image, with paths and ports as they
 * are on this host, then that of the manifest.
 */
export function buildEnvironment(sources: EnvironmentSources): Record<string, string> {
  const { container, image, paths, ports } = sources;
  const env: Record<string, string> = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOSTNAME: sources.podName,
    ...image.env,
  };
  for (const [variable, path] of Object.entries(image.pathVariables ?? {})) {
    env[variable] = paths.toHost(path) ?? path;
  }
  for (const [variable, port] of Object.entries(image.portVariables ?? {})) {
    env[variable] = String(ports.hostPort(port) ?? port);
  }
  if (image.mountinfoVariable !== undefined) {
    env[image.mountinfoVariable] = sources.mountinfoPath;
  }
  for (const { prefix = "", configMapRef } of container.envFrom) {
    for (const [key, value] of Object.entries(readData(sources, configMapRef))) {
      env[prefix + key] = paths.translate(value);
    }
  }
  for (const { name, value, valueFrom } of container.env) {
    const resolved =
      valueFrom === undefined ? expand(value ?? "", env) : readSource(sources, valueFrom);
    if (resolved !== undefined) {
      env[name] = toHostValue(sources, name, resolved);
    }
  }
  return env;
}

/**
 * Replaces `$(NAME)` by the variable's value. `$$(NAME)` becomes `$(NAME)`, and an unknown variable
 * stays as it is.
 */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^)]+)\)/g, (match, name: string | undefined) =>
    name === undefined ? "$" : (env[name] ?? match),
  );
}

function toHostValue(
  { image, ports, paths }: EnvironmentSources,
  name: string,
  value: string,
): string {
  if (image.portVariables !== undefined && Object.hasOwn(image.portVariables, name)) {
    return String(ports.hostPort(Number(value)) ?? value);
  }
  return paths.translate(value);
}

function readSource(
  sources: EnvironmentSources,
  source: NonNullable<ContainerSpec["env"][number]["valueFrom"]>,
): string | undefined {
  if (source.fieldRef !== undefined) {
    return sources.field(source.fieldRef.fieldPath);
  }
  const reference = source.configMapKeyRef;
  if (reference === undefined) {
    return undefined;
  }
  const value = readData(sources, reference)[reference.key];
  if (value === undefined && !reference.optional) {
    throw new MissingConfigError(
      `couldn't find key ${reference.key} in ConfigMap ${reference.name}`,
    );
  }
  return value;
}

function readData(
  sources: EnvironmentSources,
  reference: { readonly name: string; readonly optional: boolean },
): Readonly<Record<string, string>> {
  const configMap = sources.configMap(reference.name);
  if (configMap === undefined && !reference.optional) {
    throw new MissingConfigError(`configmap "${reference.name}" not found`);
  }
  return configMap?.data ?? {};
}
