import type { IssuedCertificate } from "#fixtures/certificates.ts";

/** A broker that runs from an image, in a container or in a pod: what they share, whoever made the broker. */
export interface BrokerSoftware {
  readonly kind: "kafka" | "redpanda";
  readonly image: string;
  /** Text by file name, in FILES_DIRECTORY; the broker's user must be able to read them. */
  files(plan: BrokerPlan): Readonly<Record<string, string>>;
  /** Shell, run before the broker with the same files and directories: makes what it needs to start. */
  readonly prepare: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Directories that both write; a pod has volumes there. The first one holds the records. */
  readonly directories: readonly string[];
  /** Of the image, and its group. */
  readonly userId: number;
}

/** Where every image finds its files. */
export const FILES_DIRECTORY = "/etc/broker";

export interface ListenerPlan {
  /** Letters and digits. */
  readonly name: string;
  /** In the container. */
  readonly port: number;
  /** `host:port` that clients are told. */
  readonly advertised: string;
}

/** One node with a listener for the kit, and listeners for pods: each deployment has one to itself. */
export interface BrokerPlan {
  /** TLS, and only for who has a certificate of the authority: no password has to be there before the first user. */
  readonly admin: ListenerPlan;
  /** SASL_SSL with SCRAM-SHA-512. */
  readonly podListeners: readonly ListenerPlan[];
  readonly certificate: IssuedCertificate;
  readonly authorityPem: string;
}

/** `group.min.session.timeout.ms` of every broker that we start. */
export const SESSION_TIMEOUT_MS_MIN = 1000;

/** Of the certificate that the administrator's listener takes. */
export const ADMINISTRATOR = "kafka-consumer-kit";
