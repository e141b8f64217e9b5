import { z } from "zod";

import { integer, milliseconds, path, section, text } from "#consumer/config/section.ts";
import { IMPORT_PLACEHOLDERS, keyTemplateFault } from "#consumer/history/import/import-key.ts";

export const history = section({
  directory: path(
    "The directory of the action history. Variable HISTORY_DIR. Default /data/automation_consumer.",
  ).default("/data/automation_consumer"),
  requireMount: z
    .boolean()
    .default(true)
    .describe(
      "Refuses a directory that is not a mount of its own, since it would be lost with the container. Default true.",
    ),
  publishIntervalMs: milliseconds(
    100,
    600_000,
    "How far automation_action_history.json may be behind while it holds less than 10000 " +
      "entries. For a larger one it is 0.1 ms for each entry. Default 1000.",
  ).default(1000),
  retentionMs: milliseconds(
    1000,
    31_536_000_000,
    "How long the outcome of an action is kept and shown, at least eventAgeMsMax + " +
      "clockSkewMsMax. Default twice that sum.",
  ).optional(),
  sweepIntervalMs: milliseconds(
    1000,
    86_400_000,
    "The time between two rounds that compact journals and delete old claims, at most a " +
      "thousand keys each. Default 60000.",
  ).default(60_000),
  snapshotEntriesMin: integer(
    1,
    1_000_000,
    "The number of new entries in the journals after which a round merges them into a " +
      "snapshot, or an eighth of the history where that is more. Fewer entries wait for an " +
      "hour. Default 1000. Count",
  ).default(1000),
  import: section({
    file: text(
      1024,
      "The file of an older consumer, below history.directory. Default automation_action_history.json.",
    )
      .regex(/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))/, "must be below history.directory")
      .default("automation_action_history.json"),
    keyTemplate: z
      .string()
      .min(1)
      .max(1024)
      .superRefine(checkKeyTemplate)
      .describe(
        "How the older consumer composed the key of an action, with the placeholders " +
          `${IMPORT_PLACEHOLDERS.map((name) => `{{${name}}}`).join(", ")}. ` +
          "Every key of the file must fit this template and every record must have a time; otherwise the " +
          "whole file is refused.",
      ),
  })
    .optional()
    .describe("An older history whose keys suppress actions too. Default none."),
});

type Context = z.core.$RefinementCtx;

function checkKeyTemplate(value: string, context: Context): void {
  const fault = keyTemplateFault(value);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
}
