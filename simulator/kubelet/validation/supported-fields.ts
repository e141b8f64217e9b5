import { z } from "zod";
import { countOrPercentOf } from "#simulator/kubernetes/grammar.ts";

/** These are parts of the schemas of supported objects. */

/**
 * A field that is accepted without effect and reported (NOTED_FIELDS in validation.ts,
 * DEVIATIONS.md).
 */
export const noted = z.unknown().optional();
export const count = z.int().nonnegative();
export const name = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, "not a DNS subdomain name");
export const containerPath = z
  .string()
  .regex(/^\/[^:]*[^/:]$/, "not an absolute path without ':' and without '/' at its end");
export const strings = z.record(z.string(), z.string());
export const portNumber = z.int().min(1).max(65_535);
export const portReference = z.union([portNumber, z.string().min(1)]);
/** A number of pods, or a percentage. */
export const share = z
  .union([z.number(), z.string()])
  .refine((value) => countOrPercentOf(value) !== undefined, "not a count and not a percentage");

export const metadata = z.strictObject({
  name,
  namespace: z.string().optional(),
  labels: strings.optional(),
  annotations: strings.optional(),
});

export type Share = z.infer<typeof share>;
export type PortReference = z.infer<typeof portReference>;

export function hasOneKey(value: Readonly<Record<string, unknown>>): boolean {
  return Object.values(value).filter((member) => member !== undefined).length === 1;
}
