import type { IssuedCertificate } from "#fixtures/certificates.ts";

/**
 * A broker that runs from an image, in a container or in a pod. It describes what both need to know, for every vendor.
 */
export interface BrokerSoftware {
  readonly kind: "kafka" | "redpanda";
  readonly image: string;
  /**
   * Returns the text of each file, by the file's name in FILES_DIRECTORY. The user of the broker must be able to read
   * the files.
   */
  files(plan: BrokerPlan): Readonly<Record<string, string>>;
  /**
   * A shell script that prepares the start of the broker. It runs before the broker, with the same files and
   * directories.
   */
  readonly prepare: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Directories that the script and the broker write. In a pod each is a volume, and the first one holds the records.
   */
  readonly directories: readonly string[];
  /** The id of the image's user and of its group. */
  readonly userId: number;
}

/** The directory in which every image finds its files. */
export const FILES_DIRECTORY = "/etc/broker";

export interface ListenerPlan {
  /** The name of the listener, which consists of letters and digits. */
  readonly name: string;
  /** The port in the container. */
  readonly port: number;
  /** The `host:port` that clients are given. */
  readonly advertised: string;
}

/**
 * One node with a listener for the kit, and listeners for pods. Each deployment has one of those listeners to itself.
 */
export interface BrokerPlan {
  /**
   * A TLS listener that accepts only certificates of the authority. So no password has to exist before the first user
   * does.
   */
  readonly admin: ListenerPlan;
  /** SASL_SSL listeners with SCRAM-SHA-512. */
  readonly podListeners: readonly ListenerPlan[];
  readonly certificate: IssuedCertificate;
  readonly authorityPem: string;
}

/** `group.min.session.timeout.ms` of every broker that the kit starts. */
export const SESSION_TIMEOUT_MS_MIN = 1000;

/** The common name of the certificate that the administrator's listener accepts. */
export const ADMINISTRATOR = "kafka-consumer-kit";
