import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { anIncident } from "#fixtures/incidents.ts";
import { runRules } from "#consumer/operations/rules/rules-command.ts";

export const CRITICAL = anIncident();
export const OK = anIncident({ status: "ok" });
export const ACTION = {
  name: "restart",
  type: "http",
  url: "https://automation.test/{{incident.tags.service}}",
  body: '{"title":"{{incident.title}}"}',
};
export const RULE = { name: "restart-web", match: { status: ["critical"] }, actions: [ACTION] };

export interface Given {
  readonly rules?: readonly object[];
  readonly execution?: object;
  readonly incidents?: string | readonly unknown[];
}

/** A directory with `config.yaml` and `incidents.ndjson`, in which commands run. */
export async function createRulesDirectory({
  rules = [RULE],
  execution = {},
  incidents = [CRITICAL],
}: Given = {}) {
  const directory = await mkdtempDisposable(join(tmpdir(), "rules-"));
  const write = async (name: string, content: string): Promise<string> => {
    const path = join(directory.path, name);
    await writeFile(path, content);
    return path;
  };
  const writeConfig = (name: string, changed: readonly object[]): Promise<string> =>
    write(name, configurationOf(changed, execution));
  const config = await writeConfig("config.yaml", rules);
  const input =
    typeof incidents === "string"
      ? incidents
      : incidents.map((each) => `${JSON.stringify(each)}\n`).join("");
  const name =
    typeof incidents === "string" && /^\s*[[{]/.test(incidents)
      ? "incidents.json"
      : "incidents.ndjson";
  const file = await write(name, input);
  const run = async (...argv: string[]) => {
    const lines: string[] = [];
    const stop = new AbortController().signal;
    const context = { environment: {}, print: (line: string) => void lines.push(line), stop };
    const exitCode = await runRules(argv, context);
    const shown = lines.map((line) => line.replaceAll(`${directory.path}/`, ""));
    return { exitCode, lines: shown, text: shown.join("\n") };
  };
  return {
    path: directory.path,
    config,
    file,
    write,
    writeConfig,
    run,
    test: (...argv: string[]) =>
      run("rules", "test", "--config", config, "--incidents", file, ...argv),
    /** The results with --json, as `rule/action result`. */
    async results(...argv: string[]) {
      const { lines } = await run(
        "rules",
        "test",
        "--json",
        "--config",
        config,
        "--incidents",
        file,
        ...argv,
      );
      return lines.map((line) => {
        const { rule, action, result }: Record<string, string | null> = JSON.parse(line);
        return rule === null ? result : `${rule}/${action} ${result}`;
      });
    },
    [Symbol.asyncDispose]: () => directory.remove(),
  };
}

function configurationOf(rules: readonly object[], execution: object): string {
  return stringify({
    version: 1,
    kafka: {
      brokers: ["broker-0.test:9093"],
      groupId: "sre-kafka-consumer",
      topics: ["bigpanda.incidents"],
      deadLetterTopic: "bigpanda.incidents.dead-letter",
      sasl: { username: "sre-consumer", passwordSecret: "scram" },
    },
    ckms: { url: "https://ckms.test", keyGroup: "bigpanda.keys.sre" },
    execution,
    rules,
  });
}
