import { z } from "zod";

import { ruleSchema } from "./rule-schema.ts";
import { section } from "./section.ts";
import { execution } from "./sections/execution.ts";
import { history } from "./sections/history.ts";
import { athenz, ckms } from "./sections/identity.ts";
import { incident } from "./sections/incident.ts";
import { kafka } from "./sections/kafka.ts";
import { dependencies, health, log } from "./sections/process.ts";

/** The schema of config.yaml. Relations between options are in config/relations.ts. */
export const configSchema = section({
  version: z.literal(1).describe("The version of this format: 1."),
  kafka,
  athenz: athenz.prefault({}),
  ckms,
  history: history.prefault({}),
  incident: incident.prefault({}),
  execution: execution.prefault({}),
  dependencies: dependencies.prefault({}),
  health: health.prefault({}),
  log: log.prefault({}),
  rules: z.array(ruleSchema).max(1000).describe("The rules. 0 to 1000."),
});
