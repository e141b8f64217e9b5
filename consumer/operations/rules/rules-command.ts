import type { CommandContext } from "#consumer/operations/command-line.ts";
import { loadConfig } from "#consumer/config/load-config.ts";
import type { Config } from "#consumer/config/load-config.ts";
import { EXIT_CODE } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import { explain } from "./explain-command.ts";
import { counted, parseRulesOptions, RULES_USAGE, rulesUsage } from "./rules-context.ts";
import type { Print, RulesOptions } from "./rules-context.ts";
import { testRules } from "./test-command.ts";

const HELP: Readonly<Record<string, string>> = {
  check: `usage: kafka_consumer check --config FILE

Checks a configuration as the consumer does at its start, and nothing else: no file but FILE is read, nothing is sent.
Exits with 0, or with 78 and every fault: its path, its line, the rule that it breaks and the value.`,
  "rules test": `usage: kafka_consumer rules test --config FILE --incidents FILE... [options]

Says what the consumer would do with incidents, by the code that runs in production. Nothing is sent or written.

  --config FILE     the configuration whose rules are tried
  --incidents FILE  incidents: one JSON object a line, an array, one object, a directory of such files, or - for
                    standard input; values alone, or records as \`kcat -J\` prints them. May be given again
  --now TIME        evaluates ages and limits at this time (ISO 8601 with a zone). Default: the timestamp of each
                    record, or the start of an incident that has none
  --against OLD     prints only how the actions differ from those of the configuration OLD
  --expect FILE     compares with an expectations file (docs/rules.md): exits with 1 at a difference
  --json            prints one JSON object a line`,
  "rules explain": `usage: kafka_consumer rules explain --config FILE --incident FILE [--json]

Says for each rule why it matches the incident, or the first condition that does not hold. FILE is as for --incidents of
\`rules test\`; - is standard input.`,
};

const ALLOWED: Readonly<Record<string, readonly (keyof RulesOptions)[]>> = {
  check: ["config", "help"],
  "rules test": ["against", "config", "expect", "help", "incidents", "json", "now"],
  "rules explain": ["config", "help", "incident", "json"],
};

/**
 * Runs the commands that try a configuration offline: `check`, `rules test` and `rules explain`. Resolves with the
 * exit code. Throws "usage" for what the command line, the incidents or the expectations file have wrong, and
 * "bad-configuration".
 */
export async function runRules(
  argv: readonly string[],
  { environment, print, stop }: CommandContext,
): Promise<ExitCode> {
  const [group = "", name = ""] = argv;
  const command = group === "check" ? group : `${group} ${name}`;
  if (argv.length === 2 && group === "rules" && (name === "--help" || name === "-h")) {
    print(`usage: ${RULES_USAGE}`);
    return EXIT_CODE.clean;
  }
  const allowed = ALLOWED[command];
  if (allowed === undefined) throw rulesUsage(`there is no command "${command.trim()}"`);
  const options = parseRulesOptions(argv.slice(command.split(" ").length));
  const strange = Object.keys(options).find((option) => !allowed.some((one) => one === option));
  if (strange !== undefined) {
    const meant = allowed.find((one) => `${one}s` === strange || one === `${strange}s`);
    const hint = meant === undefined ? "" : `; --${meant} is meant`;
    throw rulesUsage(`${command} has no option --${strange}${hint}`);
  }
  if (options.help === true) {
    print(HELP[command] ?? RULES_USAGE);
    return EXIT_CODE.clean;
  }
  if (options.config === undefined) throw rulesUsage("--config is required");
  const config = await loadConfig(options.config, { environment });
  const context = { config, options, environment, print, stop };
  if (command === "check") return check(options.config, config, print);
  return command === "rules test" ? testRules(context) : explain(context);
}

function check(file: string, { rules, execution }: Config, print: Print): ExitCode {
  const actions = rules.flatMap((rule) => rule.actions).length;
  print(
    `${file} is valid: ${counted(rules.length, "rule")}, ${counted(actions, "action")}, mode ${execution.mode}`,
  );
  if (rules.length === 0) print("warning: it has no rule, so no incident will cause an action");
  return EXIT_CODE.clean;
}
