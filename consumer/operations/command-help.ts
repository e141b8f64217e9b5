import type { Options } from "./command-line.ts";

interface Command {
  /** The operand that the command takes. Defaults to none. */
  readonly operand?: "KEY";
  readonly options: readonly (keyof Options)[];
  readonly does: string;
}

/** Every command of operators, with its options. Each also takes --help. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  "history list": {
    options: ["outcome", "rule", "max", "json", "directory"],
    does: "Lists the last attempt of every action on the history volume, the newest first.",
  },
  "history show": {
    operand: "KEY",
    options: ["json", "directory"],
    does: "Shows every attempt of one action: who claimed it, when, and how it ended.",
  },
  "history stats": {
    options: ["json", "directory"],
    does: "Counts the actions by how they ended, and by rule.",
  },
  "history verify": {
    options: ["directory"],
    does: "Checks every file of the history, and exits with 70 when one is damaged or contradicts another.",
  },
  "history resolve": {
    operand: "KEY",
    options: ["as", "by", "reason", "directory"],
    does: "Records what a person found out about an action that ended in doubt, was rejected or is left to people.",
  },
  skip: {
    options: ["topic", "partition", "offset", "by", "reason", "directory"],
    does: "Orders the consumer to pass the record at a position at which a partition stands still.",
  },
  pause: {
    options: ["by", "reason", "directory"],
    does: "Keeps every pod from beginning actions, until `resume`. What has begun ends as usual.",
  },
  resume: {
    options: ["by", "reason", "directory"],
    does: "Lets actions begin again after `pause`.",
  },
  "dead-letter redrive": {
    options: ["config", "by", "reason", "key", "max", "again", "dry-run"],
    does: "Publishes dead letters to their topics again, once each.",
  },
};

/** The value of each option and its meaning; an empty value for a flag. */
const OPTION_HELP: Readonly<Record<keyof Options, readonly [value: string, meaning: string]>> = {
  again: ["", "publishes also what was published again before"],
  as: [
    "OUTCOME",
    "done: it had its effect; failed-not-applied: it had none, and may be tried again",
  ],
  by: ["NAME", "who gives the order, for the audit"],
  config: ["FILE", "the configuration, which names brokers, topics and secrets"],
  directory: [
    "DIR",
    "the history volume. Default: variable HISTORY_DIR, then /data/automation_consumer",
  ],
  "dry-run": ["", "prints what would be published, and publishes nothing"],
  json: ["", "prints one JSON object a line"],
  key: ["KEY", "only dead letters of this action, 64 hex digits; may be given again"],
  max: ["N", "the largest number of results. Default 100"],
  offset: ["N", "the position in the partition, from 0"],
  outcome: ["OUTCOME", "only actions that ended like this, such as in-doubt or open"],
  partition: ["N", "the number of the partition, from 0"],
  reason: [
    "TEXT",
    "why, in one line of 1 to 500 characters, for the audit; of redrive: only letters of this reason",
  ],
  rule: ["NAME", "only actions of this rule"],
  topic: ["TOPIC", "the topic of the record"],
};

const WIDTH = 20;

/** Returns the help of one command: its usage, what it does, and the meaning of each option. */
export function commandHelp(command: string): string {
  const { operand, options = [], does } = COMMANDS[command] ?? {};
  const head = `usage: kafka_consumer ${command}${operand === undefined ? "" : ` ${operand}`} [options]`;
  const lines = options.map((option) => {
    const [value, meaning] = OPTION_HELP[option];
    return `  ${`--${option}${value === "" ? "" : ` ${value}`}`.padEnd(WIDTH)} ${meaning}`;
  });
  return [head, "", does, "", ...lines].join("\n");
}
