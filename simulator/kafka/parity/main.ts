/**
 * `npm run parity [-- --bootstrap HOST:PORT]` checks the contract against the embedded broker, or
 * against any real one. It exits with 1 when the broker differs, and with 2 for wrong options.
 */
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";
import { messageOf } from "#consumer/errors.ts";

const HELP = `npm run parity -- [options]
  --bootstrap HOST:PORT        plaintext listener of a real broker; default: the embedded one
  --sasl-bootstrap HOST:PORT   its SASL_SSL listener, with SCRAM-SHA-512 (SCRAM-SHA-256 and PLAIN where it offers them)
  --tls-ca FILE                PEM of the authority of its certificate; default: those of Node
  --users-file FILE            JSON object of passwords by user name, for --sasl-bootstrap
  --session-timeout-ms N       its group.min.session.timeout.ms; default 6000
  --filter TEXT                only the files whose name contains it
`;

const ENVIRONMENT = {
  bootstrap: "PARITY_BOOTSTRAP",
  "sasl-bootstrap": "PARITY_SASL_BOOTSTRAP",
  "tls-ca": "PARITY_TLS_CA",
  "users-file": "PARITY_USERS_FILE",
  "session-timeout-ms": "PARITY_SESSION_TIMEOUT_MS",
} as const;

process.exitCode = await main();

async function main(): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        bootstrap: { type: "string" },
        "sasl-bootstrap": { type: "string" },
        "tls-ca": { type: "string" },
        "users-file": { type: "string" },
        "session-timeout-ms": { type: "string" },
        filter: { type: "string", default: "" },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${HELP}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values["sasl-bootstrap"] !== undefined && values["users-file"] === undefined) {
    process.stderr.write(`--sasl-bootstrap wants --users-file\n${HELP}`);
    return 2;
  }
  for (const [option, variable] of Object.entries(ENVIRONMENT)) {
    const value: unknown = Reflect.get(values, option);
    if (typeof value === "string") process.env[variable] = value;
  }
  const vitest = await startVitest("test", [`simulator/kafka/parity/${values.filter}`], {
    watch: false,
    reporters: ["verbose"],
  });
  await vitest.close();
  return typeof process.exitCode === "number" ? process.exitCode : 0;
}
