import type { z } from "zod";

import { bodyEscapes, isMediaType } from "../body-template.ts";
import { commandShape } from "../command-template.ts";
import { hasCode } from "../errors.ts";
import { parseTemplate } from "../template.ts";
import { urlTemplate } from "../url-template.ts";

type Context = z.core.$RefinementCtx;

export const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
/** Headers that the client sets itself, or that would carry a secret: the identity goes by mTLS, the key by its own header. */
const RESERVED_HEADERS = new Set([
  "authorization",
  "connection",
  "content-encoding",
  "content-length",
  "cookie",
  "host",
  "idempotency-key",
  "proxy-authorization",
  "transfer-encoding",
]);
/** The fault of a template, told at its place. */
function report(context: Context, judge: () => unknown, path: PropertyKey[] = []): void {
  try {
    judge();
  } catch (error) {
    if (!hasCode(error, "bad-configuration")) throw error;
    context.addIssue({ code: "custom", path, message: error.message });
  }
}

export function checkTemplate(value: string, context: Context): void {
  report(context, () => parseTemplate(value));
}

export function checkUrl(value: string, context: Context): void {
  report(context, () => urlTemplate(parseTemplate(value)));
}

export function checkHeaders(headers: Readonly<Record<string, string>>, context: Context): void {
  const seen = new Set<string>();
  for (const [header, value] of Object.entries(headers)) {
    const refuse = (message: string) =>
      context.addIssue({ code: "custom", path: [header], message });
    const name = header.toLowerCase();
    if (RESERVED_HEADERS.has(name)) {
      refuse("is set by the client or would hold a secret: not allowed here");
    }
    if (seen.has(name)) refuse("is there twice: the case of a header's name means nothing");
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
}

/** The type of the body has been judged by itself. */
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

export function checkHttp({ url, useIdentity }: HttpAction, context: Context): void {
  if (useIdentity && !/^https:/i.test(url)) {
    context.addIssue({
      code: "custom",
      path: ["useIdentity"],
      message: "needs an https url: the identity is presented by TLS",
    });
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
  const { fault } = commandShape(command);
  if (fault !== undefined) refuse(fault.index, fault.message);
}

export function checkEnvironment(
  environment: Readonly<Record<string, string>>,
  context: Context,
): void {
  for (const [name, value] of Object.entries(environment)) {
    const refuse = (message: string) => context.addIssue({ code: "custom", path: [name], message });
    if (value.includes("\0")) refuse("must not hold a zero byte");
  }
}
