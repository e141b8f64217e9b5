import { z } from "zod";

import { integer, milliseconds, section } from "#consumer/config/section.ts";

export const execution = section({
  mode: z
    .enum(["live", "dry-run", "manual"])
    .default("live")
    .describe(
      "`dry-run` records what would be done, under keys of its own, and sends nothing. " +
        "`manual` leaves every action to a person: a dead letter says what would be sent, " +
        "and `history resolve` permits it. Default live.",
    ),
  actionDeadlineMs: milliseconds(
    1,
    3_600_000,
    "How long one send may take, unless the action says otherwise. Default 30000.",
  ).default(30_000),
  drainMs: milliseconds(
    0,
    3_600_000,
    "How long running work may go on after SIGTERM. Default 45000.",
  ).default(45_000),
  outcomeBudgetMs: milliseconds(
    0,
    600_000,
    "How long recording an outcome may take. Default 5000.",
  ).default(5000),
  orphanWaitMs: milliseconds(
    0,
    7_200_000,
    "How long the claim of another pod may stay without an outcome before it is recorded " +
      "as in doubt. Default the longest action deadline + drainMs + outcomeBudgetMs.",
  ).optional(),
  eventAgeMsMax: milliseconds(
    1000,
    2_592_000_000,
    "The age beyond which incidents are not acted on. It may be raised on a volume in use: " +
      "incidents that started at or before the latest claim that was swept are then " +
      "dead-lettered as in-doubt. Default 86400000 (one day).",
  ).default(86_400_000),
  clockSkewMsMax: milliseconds(
    0,
    3_600_000,
    "The largest difference between the clocks of a pod and of the history volume. Beyond " +
      "it the pod is unready and begins nothing. Default 60000.",
  ).default(60_000),
  lanesMax: integer(
    1,
    1024,
    "The largest number of incidents that are worked on at once. More than " +
      "UV_THREADPOOL_SIZE keep the volume busy while others wait for an answer or for a sync " +
      "that they share. Default 96. Count",
  ).default(96),
  retry: section({
    delayMsMin: milliseconds(
      1,
      600_000,
      "The first delay before the next attempt. Default 500.",
    ).default(500),
    delayMsMax: milliseconds(
      1,
      3_600_000,
      "The largest delay before the next attempt. Default 30000.",
    ).default(30_000),
    budgetMs: milliseconds(
      0,
      86_400_000,
      "The longest time from the first attempt of an action to the start of its last one. Default 900000.",
    ).default(900_000),
  }).prefault({}),
});
