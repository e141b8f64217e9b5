import type { z } from "zod";

import { bodyEscapes, isMediaType } from "#consumer/planning/templates/body-template.ts";
import { commandShape } from "#consumer/planning/templates/command-template.ts";
import { hasCode } from "#consumer/errors.ts";
import { parseTemplate, refused } from "#consumer/planning/templates/template.ts";
import { textEscapes } from "#consumer/planning/templates/text-template.ts";
import { urlTemplate } from "#consumer/planning/templates/url-template.ts";
import { isLoopback, PORTS_NEVER_SENT_TO } from "./destinations.ts";
import { isReservedHeader, isReservedVariable } from "./reserved-names.ts";

type Context = z.core.$RefinementCtx;

export const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;

/** Runs a check, and adds the fault that it throws as an issue at the path. */
function report(context: Context, check: () => unknown, path: PropertyKey[] = []): void {
  try {
    check();
  } catch (error) {
    if (!hasCode(error, "bad-configuration")) throw error;
    context.addIssue({ code: "custom", path, message: error.message });
  }
}

export function checkTemplate(value: string, context: Context): void {
  report(context, () => textEscapes(parseTemplate(value)));
}

export function checkUrl(value: string, context: Context): void {
  report(context, () => {
    const { port } = urlTemplate(parseTemplate(value));
    if (PORTS_NEVER_SENT_TO.has(port)) {
      throw refused(`must not have port ${port}: nothing is ever sent to it`);
    }
  });
}

export function checkHeaders(headers: Readonly<Record<string, string>>, context: Context): void {
  const seen = new Set<string>();
  for (const [header, value] of Object.entries(headers)) {
    const refuse = (message: string) =>
      context.addIssue({ code: "custom", path: [header], message });
    const name = header.toLowerCase();
    if (isReservedHeader(name)) {
      refuse("is set or refused by the client, or would hold a secret: not allowed here");
    }
    if (seen.has(name)) refuse("appears twice: names of headers do not depend on case");
    seen.add(name);
    if (!/^[\t\u0020-\u007e]*$/.test(value)) refuse("must be printable ASCII");
    if (name !== "content-type") continue;
    if (value.includes("{{")) {
      refuse("must not hold a placeholder: the type says how the body is escaped");
    } else if (!isMediaType(value)) refuse("must be a media type, such as application/json");
  }
}

interface HttpAction {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly useIdentity: boolean;
  readonly insecure: boolean;
}

/** Checks that the body parses in its type. A fault of the type itself is reported by `checkHeaders`. */
export function checkBody({ method, headers, body }: HttpAction, context: Context): void {
  if (body === null) return;
  if (method === "GET") {
    context.addIssue({ code: "custom", path: ["body"], message: "must be absent with method GET" });
    return;
  }
  const types = Object.entries(headers).filter(([name]) => name.toLowerCase() === "content-type");
  if (types.length > 1 || types.some(([, type]) => !isMediaType(type))) return;
  report(context, () => bodyEscapes(parseTemplate(body), headers), ["body"]);
}

export function checkHttp({ url, useIdentity, insecure }: HttpAction, context: Context): void {
  const refuse = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  const origin = originOf(url);
  if (origin === undefined) return;
  const isHttps = origin.protocol === "https:";
  if (useIdentity && !isHttps) {
    refuse("useIdentity", "needs an https url: the identity is presented by TLS");
  }
  if (insecure && isHttps) {
    refuse("insecure", "is for an http url: it switches no check of https off");
  }
  if (!insecure && !isHttps && !isLoopback(origin.hostname)) {
    refuse(
      "url",
      "must be https unless the action has insecure: true, because anyone on the network could change the request",
    );
  }
}

/** Returns the origin of a URL, or undefined when `checkUrl` refuses it. */
function originOf(url: string): URL | undefined {
  try {
    return new URL(urlTemplate(parseTemplate(url)).origin);
  } catch (error) {
    if (!hasCode(error, "bad-configuration")) throw error;
    return undefined;
  }
}

export function checkCommand(command: readonly string[], context: Context): void {
  const refuse = (index: number, message: string) =>
    context.addIssue({ code: "custom", path: [index], message });
  const executable = command[0] ?? "";
  if (!executable.startsWith("/") || executable.includes("{{")) {
    refuse(0, "must be an absolute path without placeholders");
    return;
  }
  for (const [index, part] of command.entries()) {
    if (part.includes("\0")) refuse(index, "must not hold a zero byte");
  }
  const launcher = command.findIndex((part) => /(?:^|\/)(?:env|sudo|doas)$/.test(part));
  for (const [index, part] of command.entries()) {
    const variable = /^([A-Za-z_]\w*)=/.exec(part)?.[1];
    if (launcher < 0 || index < launcher || variable === undefined) continue;
    if (isReservedVariable(variable)) refuse(index, RESERVED_VARIABLE);
  }
  const { fault } = commandShape(command);
  if (fault !== undefined) refuse(fault.index, fault.message);
}

export function checkEnvironment(
  environment: Readonly<Record<string, string>>,
  context: Context,
): void {
  for (const [name, value] of Object.entries(environment)) {
    const refuse = (message: string) => context.addIssue({ code: "custom", path: [name], message });
    if (isReservedVariable(name)) refuse(RESERVED_VARIABLE);
    if (value.includes("\0")) refuse("must not hold a zero byte");
  }
}

const RESERVED_VARIABLE =
  "is set by the consumer, or could make other code run than the command names: not allowed here";
