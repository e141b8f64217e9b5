import { expect, expectEqual } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 14,
  name: "undecodable-record",
  title: "An undecodable record goes to the dead letter topic unchanged and blocks nothing.",
  run: async ({ deploy, step }) => {
    const deployment = await deploy({ partitions: 1 });
    await deployment.ready();
    step("publish a good record, a bad one, a good one");
    await deployment.publish(1);
    const bytes = Uint8Array.of(0x7b, 0xff, 0x00, 0x22, 0xfe);
    const bad = await deployment.publishUndecodable(bytes);
    await deployment.publish(1);
    await deployment.verify();
    expectEqual((await deployment.effects()).length, 2, "effects");
    const letters = await deployment.deadLetters();
    expectEqual(letters.length, 1, "dead letters");
    const [letter] = letters;
    expectEqual(letter?.headers["dead-letter-reason"], "undecodable", "reason");
    expectEqual(letter?.headers["source-topic"], deployment.names.topic, "source topic");
    expectEqual(letter?.headers["source-partition"], String(bad.partition), "source partition");
    expectEqual(letter?.headers["source-offset"], String(bad.offset), "source offset");
    expect((letter?.headers["dead-letter-detail"] ?? "") !== "", "the dead letter has no detail");
    expect(
      letter?.value !== null && letter !== undefined && Buffer.from(letter.value).equals(bytes),
      "the bytes of the record changed",
    );
  },
};
