export interface RunArguments extends PlaceArguments {
  /** Numbers or names, as given; empty means all. */
  readonly scenarios: readonly string[];
  /** 32-bit unsigned. */
  readonly seed: number;
  /** Production durations instead of short ones. */
  readonly realTime: boolean;
  /** Artifacts of an earlier run whose pods must have lived the same, or null. */
  readonly compare: string | null;
}

type Keep = "on-failure" | "always" | "never";

/** Where something runs, and what stays of it: the same for scenarios and for chaos. */
export interface PlaceArguments {
  readonly target: "local" | "kind" | "kubernetes";
  /** For the target kind; what is null is left to it. */
  readonly kind: KindArguments;
  /** For the target kubernetes; null with another one. */
  readonly kubernetes: KubernetesArguments | null;
  readonly broker: BrokerArguments;
  /** What stays of the temporary directories of the pods. */
  readonly keep: Keep;
  /** Directory that receives one directory per run. */
  readonly artifacts: string;
  /** A copy of the JUnit report, or null. */
  readonly junit: string | null;
  /** Scenarios or schedules at the same time; null leaves it to the machine. */
  readonly jobs: number | null;
}

export interface KindArguments {
  /** Name of the cluster. */
  readonly cluster: string | null;
  readonly engine: "docker" | "podman" | null;
  readonly nodeImage: string | null;
  /** What the images are built on. */
  readonly baseImage: string | null;
  /** An image of the consumer that was built earlier. */
  readonly image: string | null;
}

/** A cluster that is there, and images that its nodes have or can pull. */
export interface KubernetesArguments {
  /** As kubectl finds it in the kubeconfig. */
  readonly context: string;
  /** The image of the consumer. */
  readonly image: string;
  readonly simulatorsImage: string;
}

/** Which broker the pods read. */
export type BrokerArguments =
  | { readonly kind: "embedded" }
  /** `image`: instead of the pinned one, or null. */
  | { readonly kind: "kafka" | "redpanda"; readonly image: string | null }
  | ExternalArguments;

/** A broker that is there already. The password itself is never an argument: every process of the host sees those. */
export interface ExternalArguments {
  readonly kind: "external";
  /** `host:port`, at least one. */
  readonly bootstrap: readonly string[];
  /** PEM file of the authorities of its certificate. */
  readonly caFile: string;
  readonly mechanism: "scram-sha-512";
  readonly user: string;
  readonly password: { readonly file: string } | { readonly variable: string };
}
