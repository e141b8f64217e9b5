import { z } from "zod";

import { mapping, section, text } from "#consumer/config/section.ts";

const field = (byDefault: string) =>
  text(256, `The dotted path of this field in the JSON value. Default ${byDefault}.`).default(
    byDefault,
  );

export const incident = section({
  paths: section({
    id: field("id"),
    status: field("status"),
    severity: field("severity"),
    startedOn: field("started_on"),
    title: field("title"),
    environment: field("environment"),
    tags: field("tags"),
    extra: mapping(
      z
        .string()
        .regex(/^[a-z][a-z0-9_]{0,63}$/i, "must be letters, digits or '_' and begin with a letter"),
      text(256, "Dotted path into the JSON value."),
    )
      .default({})
      .describe(
        "Further fields that rules may compare and templates may use, by their name: " +
          "texts, numbers, booleans, or lists of them. Default none.",
      ),
  }).prefault({}),
  startedOnUnit: z
    .enum(["s", "ms", "iso"])
    .default("s")
    .describe(
      "The unit of startedOn: seconds or milliseconds since the epoch, or ISO 8601. Default s.",
    ),
});
