import { readFile } from "node:fs/promises";
import { z } from "zod";
import { UsageError } from "#simulator/process/command.ts";
import { OPERATIONS, PATTERN_TYPES, PERMISSIONS, RESOURCE_TYPES } from "./acl.ts";
import type { AuthorizationOptions } from "./acls.ts";

type Entries = NonNullable<AuthorizationOptions["acls"]>;

const entries = z.array(
  z.strictObject({
    resource: oneOf(RESOURCE_TYPES, ["ANY"]),
    name: z.string().min(1),
    principal: z.string().regex(/^User:./, "must be User:NAME"),
    operation: oneOf(OPERATIONS, ["ANY"]),
    pattern: oneOf(PATTERN_TYPES, ["ANY", "MATCH"]).default("LITERAL"),
    host: z.string().min(1).default("*"),
    permission: oneOf(PERMISSIONS, ["ANY"]).default("ALLOW"),
  }),
);

/** A JSON array of entries with the fields of `Acl`. Throws UsageError with the path of what is wrong. */
export async function readAclFile(file: string): Promise<Entries> {
  const read = entries.safeParse(JSON.parse(await readFile(file, "utf8")));
  if (read.success) return read.data;
  throw new UsageError(`--acl-file ${file}: ${z.prettifyError(read.error)}`);
}

/** The names, without those that only filters have. */
function oneOf<K extends string, X extends K>(
  names: Readonly<Record<K, number>>,
  without: readonly X[],
) {
  const left = Object.keys(names).filter((name): name is Exclude<K, X> => {
    return !without.some((other) => other === name);
  });
  return z.enum(left);
}
