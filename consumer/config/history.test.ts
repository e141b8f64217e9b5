import { expect, test } from "vitest";
import { configSchema } from "./schema.ts";

const { history } = configSchema.shape;

test("an import needs a template that tells incidents apart, and a file of the volume", () => {
  const keyTemplate = "{{rule}}:{{incident.id}}:{{incident.status}}";
  const parsed = history.parse({ import: { keyTemplate } });
  expect(parsed.import).toEqual({ file: "automation_action_history.json", keyTemplate });
  expect(history.parse({}).import).toBeUndefined();
  const faults = (value: object): string =>
    history
      .safeParse({ import: value })
      .error?.issues.map(({ message }) => message)
      .join() ?? "";
  expect(faults({})).toContain("expected string");
  expect(faults({ keyTemplate: "{{rule}}" })).toContain("must hold {{incident.id}}");
  expect(faults({ keyTemplate: "{{incident.id}}{{key}}" })).toContain(
    "unknown placeholder {{key}}",
  );
  for (const file of ["/etc/passwd", "../other.json", "old/../../other.json", "old/.."]) {
    expect(faults({ keyTemplate, file })).toContain("below history.directory");
  }
  expect(faults({ keyTemplate, file: "old/actions..json" })).toBe("");
});
