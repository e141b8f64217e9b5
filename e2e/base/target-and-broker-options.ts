import type { BrokerArguments, CommonArguments } from "./run-arguments.ts";

/** Returns the command-line options that choose the same target and broker again. */
export function targetAndBrokerOptions(
  chosen: Pick<CommonArguments, "target" | "kind" | "kubernetes" | "broker">,
): string[] {
  return [
    ...(chosen.target === "local" ? [] : [`--target ${chosen.target}`]),
    ...Object.entries({ ...chosen.kind, ...chosen.kubernetes }).flatMap(([name, value]) =>
      targetOption(name, value),
    ),
    ...brokerOptions(chosen.broker),
  ];
}

/** `nodeImage` -> `--node-image NAME` */
function targetOption(name: string, value: string | null): string[] {
  const option = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return value === null ? [] : [`--${option} ${value}`];
}

/** Returns the command-line options that choose the same broker again. */
function brokerOptions(chosen: BrokerArguments): string[] {
  if (chosen.kind === "embedded") return [];
  if (chosen.kind !== "external") {
    const { kind, image } = chosen;
    return [`--broker ${kind}`, ...(image === null ? [] : [`--broker-image ${image}`])];
  }
  const { bootstrap, caFile, user, password } = chosen;
  return [
    "--broker external",
    ...bootstrap.map((node) => `--bootstrap ${node}`),
    `--broker-ca ${caFile}`,
    `--broker-user ${user}`,
    "file" in password
      ? `--broker-password-file ${password.file}`
      : `--broker-password-env ${password.variable}`,
  ];
}
