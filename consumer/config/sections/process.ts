import { z } from "zod";

import { integer, milliseconds, path, section, text } from "#consumer/config/section.ts";

export const dependencies = section({
  budgetMs: milliseconds(
    0,
    86_400_000,
    "How long the start waits for identity, CKMS, broker and history. Default 900000.",
  ).default(900_000),
});

export const health = section({
  host: text(256, "The address to listen on. Variable HEALTH_HOST. Default 0.0.0.0.").default(
    "0.0.0.0",
  ),
  port: integer(
    0,
    65_535,
    "The port of /livez, /readyz and /metrics; 0 means any free port. Variable HEALTH_PORT. Default 8080. Port",
  ).default(8080),
});

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

export const log = section({
  directory: path("The directory of the log files. Variable LOG_DIR. Default /app/logs.").default(
    "/app/logs",
  ),
  level: z
    .enum(LOG_LEVELS)
    .default("info")
    .describe(
      "The lowest level that is written. Variable LOG_LEVEL, option --log-level. Default info.",
    ),
  fileBytesMax: integer(
    4096,
    1_073_741_824,
    "The size at which a log file is rotated. Default 10485760. Bytes",
  ).default(10_485_760),
  filesMax: integer(1, 100, "The number of rotated files that are kept. Default 5. Count").default(
    5,
  ),
});
