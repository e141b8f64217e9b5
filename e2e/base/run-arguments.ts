export interface RunArguments extends CommonArguments {
  /** Numbers or names of scenarios, as they were given. Empty selects all of them. */
  readonly scenarios: readonly string[];
  /** The seed of the run, a 32-bit unsigned whole number. */
  readonly seed: number;
  /** True when the run uses the durations of production instead of the short ones. */
  readonly realTime: boolean;
  /** Artifacts of an earlier run whose pods must have lived the same lives, or null. */
  readonly compare: string | null;
  /** The configuration that the run plays in place of the suite. Absent when the suite runs. */
  readonly configuration?: ConfigurationArguments;
}

/** A configuration of the user, and the incidents to play it with. */
export interface ConfigurationArguments {
  readonly file: string;
  /** Files, directories, or `-`; `fixtures/incidents/webhook` unless some are given. */
  readonly incidents: readonly string[];
  readonly job: "component" | "deploy-production";
}

type Keep = "on-failure" | "always" | "never";

/** The target and the broker of a run, and what is kept of it. Scenarios and chaos share these arguments. */
export interface CommonArguments {
  readonly target: "local" | "kind" | "kubernetes";
  /** Arguments of the target kind. The target chooses whatever is null. */
  readonly kind: KindArguments;
  /** Arguments of the target kubernetes. Null with any other target. */
  readonly kubernetes: KubernetesArguments | null;
  readonly broker: BrokerArguments;
  /** Selects which temporary directories of the pods are kept. */
  readonly keep: Keep;
  /** The directory that receives one directory per run. */
  readonly artifacts: string;
  /** The path of a copy of the JUnit report, or null. */
  readonly junit: string | null;
  /** The number of scenarios or schedules that run at the same time. Null lets the kit choose it by the processors. */
  readonly jobs: number | null;
}

export interface KindArguments {
  /** The name of the cluster. */
  readonly cluster: string | null;
  readonly engine: "docker" | "podman" | null;
  readonly nodeImage: string | null;
  /** The image on which the images are built. */
  readonly baseImage: string | null;
  /** An image of the consumer that was built earlier. */
  readonly image: string | null;
}

/** An existing cluster, and images that its nodes have or can pull. */
export interface KubernetesArguments {
  /** The context of the kubeconfig, as kubectl finds it. */
  readonly context: string;
  /** The image of the consumer. */
  readonly image: string;
  readonly simulatorsImage: string;
}

/** The broker that the pods read from. */
export type BrokerArguments =
  | { readonly kind: "embedded" }
  /** `image` replaces the pinned image. Null keeps the pinned one. */
  | { readonly kind: "kafka" | "redpanda"; readonly image: string | null }
  | ExternalArguments;

/**
 * A broker that exists already. The password itself is never an argument, since every process of the host can read the
 * arguments of the others.
 */
export interface ExternalArguments {
  readonly kind: "external";
  /** Addresses of the nodes as `host:port`, at least one. */
  readonly bootstrap: readonly string[];
  /** A PEM file with the authorities of the broker's certificate. */
  readonly caFile: string;
  readonly mechanism: "scram-sha-512";
  readonly user: string;
  readonly password: { readonly file: string } | { readonly variable: string };
}
