import { z } from "zod";

import {
  checkBody,
  checkCommand,
  checkEnvironment,
  checkHeaders,
  checkHttp,
  checkTemplate,
  checkUrl,
  HEADER_NAME,
} from "./rule-checks.ts";
import type { LimitField } from "#consumer/planning/rules.ts";
import { matchSchema } from "./match-schema.ts";
import { integer, mapping, milliseconds, section, text } from "./section.ts";

const NAME = /^[a-z0-9][a-z0-9._-]*$/i;

const name = (what: string) =>
  text(
    100,
    `The name of the ${what}. It is part of the action key, so that a changed name acts again.`,
  ).regex(NAME, "must be letters, digits, '.', '_' or '-' and begin with a letter or digit");

const common = {
  name: name("action"),
  deadlineMs: milliseconds(
    1,
    3_600_000,
    "The longest time of one send. Default execution.actionDeadlineMs.",
  ).optional(),
  idempotent: z
    .boolean()
    .default(false)
    .describe(
      "Declares that the far side treats a repeated Idempotency-Key as one request, so " +
        "that an attempt in doubt may be repeated. Default false.",
    ),
  attemptsMax: integer(
    1,
    10,
    "The largest number of attempts of one action. Default 3. Count",
  ).default(3),
  keepResponse: z
    .enum(["on-failure", "never"])
    .default("on-failure")
    .describe(
      "How much of the answer, or of a command's output, goes into outcome, log and dead " +
        "letter. `on-failure` keeps a part of it when the action failed, with whatever looks " +
        "like a credential masked; `never` keeps nothing. Default on-failure.",
    ),
};

const template = (lengthMax: number, description: string) =>
  z.string().max(lengthMax).superRefine(checkTemplate).describe(description);

const httpAction = section({
  ...common,
  type: z.literal("http"),
  method: z
    .enum(["POST", "PUT", "PATCH", "DELETE", "GET"])
    .default("POST")
    .describe("The HTTP method. Default POST."),
  url: z
    .string()
    .max(2048)
    .superRefine(checkUrl)
    .describe(
      "The absolute http or https URL. Placeholders may stand in the path and in values of " +
        "the query, and are percent-encoded. In the path, a value with a slash is rejected " +
        "unless the placeholder says {{NAME | path}}; a value with a segment . or .. is " +
        "always rejected.",
    ),
  headers: mapping(
    z.string().regex(HEADER_NAME, "must be an HTTP header name"),
    template(4096, "Header value, with placeholders."),
  )
    .superRefine(checkHeaders)
    .default({})
    .describe("The request headers, with placeholders. Default none."),
  body: z
    .string()
    .max(65_536)
    .nullable()
    .default(null)
    .describe(
      "The request body. It must parse in its content-type, which is application/json when " +
        "the headers name none. Placeholders may stand in strings of JSON, in values of a " +
        "form and in text/plain, and are escaped for that place; a body of another type has " +
        "none. Default none.",
    ),
  useIdentity: z
    .boolean()
    .default(false)
    .describe("Presents the Athenz identity by mTLS. Default false."),
  insecure: z
    .boolean()
    .default(false)
    .describe("Allows a url of plain http to a host that is not this one. Default false."),
  notAppliedStatuses: z
    .array(integer(400, 599, "HTTP status"))
    .default([])
    .describe(
      "The statuses by which this endpoint declares that nothing was applied, such as 429 or 503. Default none.",
    ),
})
  .superRefine(checkBody)
  .superRefine(checkHttp);

const commandAction = section({
  ...common,
  type: z.literal("command"),
  command: z
    .array(template(4096, "Executable or argument, with placeholders."))
    .min(1)
    .max(256)
    .superRefine(checkCommand)
    .describe(
      "The executable (an absolute path) and its arguments, which may hold placeholders. " +
        "No shell is involved. A value that begins with a hyphen is rejected unless it " +
        "stands after an argument --. A script (of sh -c, python3 -c, ssh) holds no " +
        "placeholder: pass values by `environment`, or as arguments of the script. 1 to 256 " +
        "parts.",
    ),
  environment: mapping(
    z.string().regex(/^[A-Z_][A-Z0-9_]*$/i, "must be a variable name"),
    template(4096, "Value, with placeholders."),
  )
    .superRefine(checkEnvironment)
    .default({})
    .describe(
      "Variables besides PATH and IDEMPOTENCY_KEY, with placeholders. Variables by which a " +
        "loader, shell or interpreter runs other code are refused (LD_PRELOAD, BASH_ENV, " +
        "NODE_OPTIONS, PYTHONPATH, ...). Default none.",
    ),
});

const LIMIT_FIELDS =
  "incident.id, incident.status, incident.severity, incident.environment, incident.title, " +
  "tags.NAME or extra.NAME";

const limitField = z.custom<LimitField>(
  (given) =>
    typeof given === "string" &&
    /^(?:incident\.(?:id|status|severity|environment|title)|(?:tags|extra)\.[^{}|\s]+)$/.test(
      given,
    ),
  `must be ${LIMIT_FIELDS}`,
);

const limits = section({
  per: z
    .array(limitField)
    .min(1)
    .max(4)
    .describe(
      `Fields whose values are counted apart: ${LIMIT_FIELDS}. Each combination of values has ` +
        "limits of its own; incidents without a value count together, and " +
        "an incident with several values is rejected. Default none: the rule is limited as a whole. 1 to 4.",
    )
    .optional(),
  coolDownMs: milliseconds(
    1,
    86_400_000,
    "The shortest time between two runs of the rule, over all pods. Default none.",
  ).optional(),
  runsPerHourMax: integer(
    1,
    100_000,
    "The largest number of runs of the rule within any hour, over all pods. Default no limit. Count",
  ).optional(),
}).describe(
  "Limits how often the rule runs. What is beyond is not sent, but dead-lettered as suppressed. Default none.",
);

export const ruleSchema = section({
  name: name("rule"),
  match: matchSchema.default({}),
  mode: z
    .enum(["live", "manual", "dry-run", "off"])
    .default("live")
    .describe(
      "How the actions of this rule are executed, as execution.mode says it for all; off " +
        "plans none. The stricter of both counts: off, then dry-run, manual, live. Default " +
        "live.",
    ),
  limits: limits.optional(),
  actions: z
    .array(z.discriminatedUnion("type", [httpAction, commandAction]))
    .min(1)
    .max(32)
    .describe("The actions of the rule, in their order. 1 to 32."),
}).describe("One rule: the incidents that it applies to, and its actions.");
