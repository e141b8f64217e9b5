import { expect, test } from "vitest";
import { checkNode, doctor, reportLine } from "./doctor.ts";

test("another major version of Node is reported with its fix", () => {
  const finding = checkNode("20.19.0");
  expect(finding.ok).toBe(false);
  expect(reportLine(finding)).toMatch(/^FAIL node: v20\.19\.0 .*\n {5}fix: .*npm rebuild node/);
});

test("every failed check has a fix, and the other checks still run", async () => {
  const findings = await doctor();
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(["node", "shell", "temporary directory", "loopback", "file handles"]),
  );
  for (const finding of findings) expect(finding.fix === "").toBe(finding.ok);
});
