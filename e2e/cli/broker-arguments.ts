import type { BrokerArguments, ExternalArguments } from "#e2e/base/run-arguments.ts";
import { UsageError } from "#e2e/errors.ts";
import { filled, oneOf } from "./option-values.ts";

export const BROKER_USAGE = `Options of --broker kafka|redpanda (a container, or a pod with --target kind)
  --broker-image NAME     the image of the broker (default: a pinned one)

Options of --broker external (over SASL_SSL; the user must be allowed to make and delete topics)
  --bootstrap HOST:PORT   the address of a node (repeatable)
  --broker-ca FILE        a PEM file with the authorities of the broker's certificate
  --broker-mechanism scram-sha-512
                          the only mechanism that the consumer supports (default scram-sha-512)
  --broker-user NAME      the name of the user
  --broker-password-file FILE, --broker-password-env VARIABLE
                          the source of the password; exactly one of the two
`;

export const BROKER_OPTIONS = {
  "broker-image": { type: "string" },
  bootstrap: { type: "string", multiple: true },
  "broker-ca": { type: "string" },
  "broker-mechanism": { type: "string" },
  "broker-user": { type: "string" },
  "broker-password-file": { type: "string" },
  "broker-password-env": { type: "string" },
} as const;

type Option = keyof typeof BROKER_OPTIONS;

export type BrokerValues = {
  readonly [Name in Exclude<Option, "bootstrap">]?: string | undefined;
} & {
  readonly broker?: string | undefined;
  readonly bootstrap?: string[] | undefined;
};

export function brokerArguments(values: BrokerValues): BrokerArguments {
  const kind = oneOf("broker", values.broker, ["embedded", "kafka", "redpanda", "external"]);
  for (const option of Object.keys(BROKER_OPTIONS)) {
    const owners = option === "broker-image" ? ["kafka", "redpanda"] : ["external"];
    if (Object.hasOwn(values, option) && !owners.includes(kind)) {
      throw new UsageError(
        `--${option} is for --broker ${owners.join(" and ")}, and the broker is ${kind}`,
      );
    }
  }
  if (kind === "embedded") return { kind };
  if (kind === "external") return externalArguments(values);
  return { kind, image: filled("broker-image", values["broker-image"]) ?? null };
}

function externalArguments(values: BrokerValues): ExternalArguments {
  const bootstrap = values.bootstrap ?? [];
  if (bootstrap.length === 0) throw new UsageError("--broker external needs --bootstrap HOST:PORT");
  for (const node of bootstrap) {
    if (!/^[^\s:]+:\d{1,5}$/.test(node)) {
      throw new UsageError(`--bootstrap must be HOST:PORT, got ${node}`);
    }
  }
  return {
    kind: "external",
    bootstrap,
    caFile: needed("broker-ca", values["broker-ca"]),
    mechanism: oneOf("broker-mechanism", values["broker-mechanism"], ["scram-sha-512"]),
    user: needed("broker-user", values["broker-user"]),
    password: passwordPlace(values),
  };
}

function passwordPlace(values: BrokerValues): ExternalArguments["password"] {
  const file = filled("broker-password-file", values["broker-password-file"]);
  const variable = filled("broker-password-env", values["broker-password-env"]);
  if (file !== undefined && variable === undefined) return { file };
  if (variable !== undefined && file === undefined) return { variable };
  throw new UsageError(
    "--broker external needs one of --broker-password-file and --broker-password-env",
  );
}

function needed(option: Option, value: string | undefined): string {
  const given = filled(option, value);
  if (given === undefined) throw new UsageError(`--broker external needs --${option}`);
  return given;
}
