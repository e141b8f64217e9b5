import { z } from "zod";

import { integer, milliseconds, section, text } from "./section.ts";

const NAME = /^[a-z0-9][a-z0-9._-]*$/i;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
/** Headers that the client sets itself, or that would carry a secret: the identity goes by mTLS, the key by its own header. */
const RESERVED_HEADERS = new Set([
  "authorization",
  "connection",
  "content-length",
  "cookie",
  "host",
  "idempotency-key",
  "proxy-authorization",
  "transfer-encoding",
]);
const PLACEHOLDERS = new Set([
  "key",
  "incident.id",
  "incident.status",
  "incident.severity",
  "incident.title",
  "incident.environment",
]);

const name = (what: string) =>
  text(100, `Name of the ${what}; part of the action key, so a changed name acts again.`).regex(
    NAME,
    "must be letters, digits, '.', '_' or '-' and begin with a letter or digit",
  );

const values = (what: string) =>
  z
    .array(text(512, `A ${what}.`))
    .min(1)
    .describe(`Matches when the incident has one of these as its ${what}.`);

const match = section({
  status: values("status").optional(),
  severity: values("severity").optional(),
  environment: values("environment").optional(),
  tags: z
    .record(text(200, "Tag name."), values("tag value"))
    .optional()
    .describe("Tag name to accepted values; every tag named here must match."),
}).describe("Every field given must match; {} matches every incident.");

const common = {
  name: name("action"),
  deadlineMs: milliseconds(
    1,
    3_600_000,
    "How long one send may take. Default execution.actionDeadlineMs.",
  ).optional(),
  idempotent: z
    .boolean()
    .default(false)
    .describe(
      "True when the far side treats a repeated Idempotency-Key as one request: then an attempt in doubt is repeated. Default false.",
    ),
  attemptsMax: integer(1, 10, "How many attempts one action gets. Default 3. Count").default(3),
};

const template = (lengthMax: number, description: string) =>
  z.string().max(lengthMax).superRefine(checkPlaceholders).describe(description);

const httpAction = section({
  ...common,
  type: z.literal("http"),
  method: z
    .enum(["POST", "PUT", "PATCH", "DELETE", "GET"])
    .default("POST")
    .describe("HTTP method. Default POST."),
  url: template(2048, "Absolute http or https URL; placeholders are URL-encoded.").superRefine(
    checkUrl,
  ),
  headers: z
    .record(
      z.string().regex(HEADER_NAME, "must be an HTTP header name"),
      template(4096, "Header value, with placeholders."),
    )
    .superRefine(checkHeaders)
    .default({})
    .describe("Request headers, with placeholders. Default none."),
  body: template(65_536, "Request body; placeholders are escaped for a JSON string.")
    .nullable()
    .default(null)
    .describe("Request body; placeholders are escaped for a JSON string. Default none."),
  useIdentity: z
    .boolean()
    .default(false)
    .describe("Present the Athenz identity by mTLS. Default false."),
  notAppliedStatuses: z
    .array(integer(400, 599, "HTTP status"))
    .default([])
    .describe(
      "Statuses by which this endpoint declares that nothing was applied, such as 429 or 503. Default none.",
    ),
}).superRefine((action, context) => {
  if (action.method === "GET" && action.body !== null) {
    context.addIssue({ code: "custom", path: ["body"], message: "must be absent with method GET" });
  }
  if (action.useIdentity && !action.url.startsWith("https:")) {
    context.addIssue({
      code: "custom",
      path: ["useIdentity"],
      message: "needs an https url: the identity is presented by TLS",
    });
  }
});

const commandAction = section({
  ...common,
  type: z.literal("command"),
  command: z
    .array(template(4096, "Executable or argument, with placeholders."))
    .min(1)
    .max(256)
    .superRefine(checkCommand)
    .describe(
      "Executable (absolute path) and arguments, with placeholders in the arguments; no shell. 1 to 256 parts.",
    ),
  environment: z
    .record(
      z.string().regex(/^[A-Z_][A-Z0-9_]*$/i, "must be a variable name"),
      template(4096, "Value, with placeholders."),
    )
    .default({})
    .describe("Variables besides PATH and IDEMPOTENCY_KEY, with placeholders. Default none."),
});

const limits = section({
  coolDownMs: milliseconds(
    1,
    86_400_000,
    "Between two runs of the rule, at least, over all pods. Default none.",
  ).optional(),
  runsPerHourMax: integer(
    1,
    100_000,
    "Runs of the rule within any hour, at most, over all pods. Default no limit. Count",
  ).optional(),
}).describe("What is beyond is not sent, but dead-lettered as suppressed. Default none.");

export const ruleSchema = section({
  name: name("rule"),
  match: match.default({}),
  limits: limits.optional(),
  actions: z
    .array(z.discriminatedUnion("type", [httpAction, commandAction]))
    .min(1)
    .max(32)
    .describe("What to do, in this order. 1 to 32."),
}).describe("One rule: what to match, what to do.");

type Context = z.core.$RefinementCtx;

function checkPlaceholders(value: string, context: Context): void {
  for (const [whole, inner = ""] of value.matchAll(/\{\{(.*?)\}\}/gs)) {
    const placeholder = inner.trim();
    if (!PLACEHOLDERS.has(placeholder) && !/^incident\.tags\.[^{}\s]+$/.test(placeholder)) {
      const known = [...PLACEHOLDERS, "incident.tags.NAME"].join(", ");
      context.addIssue({
        code: "custom",
        message: `unknown placeholder ${whole} (known are ${known})`,
      });
    }
  }
  if (/\{\{|\}\}/.test(value.replaceAll(/\{\{(.*?)\}\}/gs, ""))) {
    context.addIssue({ code: "custom", message: "has a placeholder that is not closed" });
  }
}

/** A placeholder may fill a path segment or a query value, never the scheme, host or port. */
function checkUrl(value: string, context: Context): void {
  const url = URL.parse(value.replaceAll(/\{\{.*?\}\}/gs, "x"));
  const refuse = (message: string) => context.addIssue({ code: "custom", message });
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    refuse("must be an absolute http or https URL");
    return;
  }
  if (/^[a-z]+:\/\/[^/?#]*\{\{/i.test(value)) {
    refuse("must not have a placeholder in the host");
  }
  if (url.username !== "" || url.password !== "") {
    refuse("must not hold a user name or password");
  }
}

function checkHeaders(headers: Readonly<Record<string, string>>, context: Context): void {
  for (const [header, value] of Object.entries(headers)) {
    if (RESERVED_HEADERS.has(header.toLowerCase())) {
      context.addIssue({
        code: "custom",
        path: [header],
        message: "is set by the client or would hold a secret: not allowed here",
      });
    }
    if (!/^[\t\u0020-\u007e]*$/.test(value)) {
      context.addIssue({ code: "custom", path: [header], message: "must be printable ASCII" });
    }
  }
}

function checkCommand(command: readonly string[], context: Context): void {
  const executable = command[0] ?? "";
  if (!executable.startsWith("/") || executable.includes("{{")) {
    context.addIssue({
      code: "custom",
      path: [0],
      message: "must be an absolute path without placeholders",
    });
  }
  command.forEach((part, index) => {
    if (part.includes("\0")) {
      context.addIssue({ code: "custom", path: [index], message: "must not hold a zero byte" });
    }
  });
}
