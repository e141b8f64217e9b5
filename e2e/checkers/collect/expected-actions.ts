import { z } from "zod";
import type { ExpectedAction } from "#e2e/checkers/history-event.ts";

/** The default of the consumer's rule schema. */
const ATTEMPTS_MAX_DEFAULT = 3;

const documentSchema = z.object({
  rules: z.array(
    z.object({
      name: z.string(),
      match: z.strictObject({
        status: z.array(z.string()).optional(),
        severity: z.array(z.string()).optional(),
        environment: z.array(z.string()).optional(),
        tags: z.record(z.string(), z.array(z.string())).optional(),
      }),
      actions: z.array(
        z.object({
          name: z.string(),
          idempotent: z.boolean().default(false),
          attemptsMax: z.int().default(ATTEMPTS_MAX_DEFAULT),
        }),
      ),
    }),
  ),
});

const incidentSchema = z.object({
  id: z.string(),
  status: z.string(),
  severity: z.string(),
  /** The start of the episode, in seconds since the epoch. */
  started_on: z.int(),
  environment: z.string(),
  tags: z.record(z.string(), z.array(z.string())),
});

/**
 * Returns what the rules of a configuration plan for an incident of the kit. It is worked out
 * without the consumer's code, so that a fault in that code cannot hide itself. Throws for a rule
 * or an incident of a form that the kit does not use.
 */
export function expectedActions(document: unknown, value: string): ExpectedAction[] {
  const { rules } = documentSchema.parse(document);
  const incident = incidentSchema.parse(JSON.parse(value));
  const { id, status, severity, environment, tags, started_on: startedOnSeconds } = incident;
  const applies = rules.filter(
    ({ match }) =>
      (match.status?.includes(status) ?? true) &&
      (match.severity?.includes(severity) ?? true) &&
      (match.environment?.includes(environment) ?? true) &&
      Object.entries(match.tags ?? {}).every(([name, wanted]) =>
        tags[name]?.some((tag) => wanted.includes(tag)),
      ),
  );
  return applies.flatMap((rule) =>
    rule.actions.map(({ name, idempotent, attemptsMax }) => ({
      rule: rule.name,
      action: name,
      incident: id,
      transition: status,
      startedOnMs: startedOnSeconds * 1000,
      idempotent,
      attemptsMax,
    })),
  );
}
