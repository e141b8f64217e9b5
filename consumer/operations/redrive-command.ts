import { createSecrets } from "#consumer/adapters/ckms.ts";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createFiles } from "#consumer/adapters/files/files.ts";
import { createIdentitySource } from "#consumer/adapters/athenz/identity.ts";
import { createKafkaBroker } from "#consumer/adapters/kafka/kafka.ts";
import { createSystemRandom } from "#consumer/adapters/random.ts";
import { loadConfig } from "#consumer/config/load-config.ts";
import { ConsumerError, EXIT_CODE } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import type { Log } from "#consumer/ports.ts";
import { openAudit } from "./audit.ts";
import type { CommandContext, Options } from "./command-line.ts";
import { actionKeyOption, countOption, textOption } from "./options.ts";
import { redrive } from "./redrive.ts";
import { NONE, readVolume } from "./volume.ts";

const IDLE_MS = 5000;
const JOIN_MS_MAX = 60_000;

/** Runs `dead-letter redrive` with the identity, the secret and the volume that the configuration names. */
export async function runRedrive(
  options: Options,
  { environment, print, stop }: CommandContext,
): Promise<ExitCode> {
  const selection = {
    reason: options.reason,
    keys: (options.key ?? []).map(actionKeyOption),
    max: countOption("max", options.max, 100),
    again: options.again === true,
    dryRun: options["dry-run"] === true,
    by: textOption("by", options.by),
  };
  if (options.config === undefined) throw new ConsumerError("usage", "--config is required");
  const { athenz, ckms, history, kafka } = await loadConfig(options.config, { environment });

  const clock = createSystemClock();
  const log = createComplaints(print);
  const files = createFiles(history.directory, { mustShare: true });
  const volume = await readVolume(files, history.directory);
  const identity = createIdentitySource({ ...athenz, clock, log });
  const secrets = createSecrets({ ...ckms, identity, log });
  const { username, passwordSecret } = kafka.sasl;
  const broker = createKafkaBroker({
    kafka: {
      ...kafka,
      topics: [kafka.deadLetterTopic],
      groupId: `${kafka.groupId}.redrive`,
    },
    credentials: async () => ({ username, password: await secrets.fetch(passwordSecret, stop) }),
    identity,
    log,
    metrics: NONE,
  });
  await using audit = openAudit({ files, clock, random: createSystemRandom() });
  // Nothing is published unless it can be audited.
  if (!selection.dryRun) await audit.prove();
  const { read, redriven, skipped } = await redrive(selection, {
    broker,
    sourceTopics: kafka.topics,
    volume,
    audit: (record) => audit.append(record),
    clock,
    print,
    idleMs: IDLE_MS,
    joinMs: JOIN_MS_MAX,
    stop,
  });
  const what = selection.dryRun ? "would be published again" : "published again";
  print(`${read} dead letters read, ${redriven} ${what}, ${skipped} left`);
  return EXIT_CODE.clean;
}

/** Creates a log that prints warnings and errors only, since the command prints its own result. */
function createComplaints(print: (line: string) => void): Log {
  const complain = (event: string, fields: object = {}): void => {
    print(`# ${event} ${JSON.stringify(fields, readable)}`);
  };
  return { debug: silent, info: silent, warn: complain, error: complain };
}

function silent(): void {}

function readable(_name: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}
