import { describe, expect, test } from "vitest";
import { runningConsumer } from "#fixtures/consumer/consumer-process.ts";
import type { ConsumerProcess } from "#fixtures/consumer/consumer-process.ts";
import { anIncident, asRecord } from "#fixtures/incidents.ts";
import type { IncidentValue } from "#fixtures/incidents.ts";
import type { FakeBroker } from "#fixtures/ports/in-memory-ports.ts";

type Process = ConsumerProcess & { broker: FakeBroker };

const DAY_MS = 86_400_000;
const PAGE = { name: "page", type: "command", command: ["/bin/page", "{{incident.tags.pager}}"] };
const TICKET = { name: "ticket", type: "command", command: ["/bin/ticket"] };
/** Its first action needs a tag that the incident lacks. */
const RULES = [{ name: "web", match: {}, actions: [PAGE, TICKET] }];

/** `count` deliveries of one incident. */
function deliveries(count: number, change: Partial<IncidentValue> = {}) {
  return Array.from({ length: count }, (_, offset) =>
    asRecord(anIncident(change), { offset: BigInt(offset) }),
  );
}

const letters = (...processes: Process[]): (string | undefined)[][] =>
  processes.flatMap(({ broker }) =>
    broker.published.map(({ headers }) => [headers["dead-letter-reason"], headers["action"]]),
  );

const sent = ({ sender }: Process): string[] =>
  sender.sends.map(({ action }) => (action.type === "command" ? action.command[0] : action.url));

async function stop(process: ConsumerProcess): Promise<void> {
  process.terminate();
  await expect(process.clock.runUntil(process.exit)).resolves.toBe(0);
}

describe("an action that cannot be filled", () => {
  test("is dead-lettered once, however often its incident comes, in this process and the next", async () => {
    const first = await runningConsumer({ rules: RULES });
    const { clock, volume } = first;
    await clock.runUntil(first.broker.deliver(deliveries(25)));
    await stop(first);
    const next = await runningConsumer({ rules: RULES, shared: { clock, volume } });
    await clock.runUntil(next.broker.deliver(deliveries(25)));
    expect(letters(first, next)).toEqual([["rejected", "page"]]);
    expect(first.broker.published[0]?.headers).toMatchObject({
      "dead-letter-detail": expect.stringContaining("rule web, action page, command[1] is missing"),
      "action-key": expect.stringMatching(/^[0-9a-f]{64}$/),
      "action-attempt": "1",
    });
    expect([...sent(first), ...sent(next)]).toEqual(["/bin/ticket"]);
    expect(next.broker.commits.at(-1)?.nextOffset).toBe(25n);
    await stop(next);
  });

  test("of an incident that is too old is counted and committed, without a letter", async () => {
    const process = await runningConsumer({ rules: RULES });
    const started_on = Math.floor((process.clock.wallMs() - 20 * DAY_MS) / 1000);
    await process.clock.runUntil(process.broker.deliver(deliveries(3, { started_on })));
    expect(letters(process)).toEqual([]);
    expect(sent(process)).toEqual([]);
    expect(process.log.of("action.too-old")).toHaveLength(6);
    expect(process.broker.commits.at(-1)?.nextOffset).toBe(3n);
    await stop(process);
  });

  test.each([
    ["dry-run", [["rejected", "page"]]],
    [
      "manual",
      [
        ["rejected", "page"],
        ["manual", "ticket"],
      ],
    ],
  ] as const)("is rejected once under the mode %s too", async (mode, expected) => {
    const process = await runningConsumer({ rules: RULES, execution: { mode } });
    await process.clock.runUntil(process.broker.deliver(deliveries(10)));
    expect(letters(process)).toEqual(expected);
    expect(sent(process)).toEqual([]);
    await stop(process);
  });

  test("uses up no run of its rule, and is rejected where the rule has none left", async () => {
    const limits = { runsPerHourMax: 1 };
    const process = await runningConsumer({
      rules: [
        { name: "pages", match: {}, limits, actions: [PAGE] },
        { name: "tickets", match: {}, limits, actions: [TICKET, PAGE] },
      ],
    });
    const records = ["a", "b"].map((id, offset) =>
      asRecord(anIncident({ id }), { offset: BigInt(offset) }),
    );
    for (const record of records) await process.clock.runUntil(process.broker.deliver([record]));
    const pages = (id: string) =>
      process.broker.published
        .filter(({ key, headers }) => key === id && headers["action"] === "page")
        .map(({ headers }) => headers["dead-letter-reason"]);
    expect([pages("a"), pages("b")]).toEqual([
      ["rejected", "rejected"],
      ["rejected", "rejected"],
    ]);
    expect(process.volume.paths().filter((path) => path.endsWith(".run"))).toHaveLength(1);
    await stop(process);
  });

  test("whose letter was not acknowledged is lettered by the next process, once", async () => {
    const first = await runningConsumer({ rules: RULES });
    const { clock, volume } = first;
    first.broker.onPublish(() => Promise.reject(new Error("no leader")));
    const given = first.broker.deliver(deliveries(1)).catch(() => undefined);
    await clock.advance(1000);
    await stop(first);
    await given;
    expect(first.broker.commits).toEqual([]);
    const next = await runningConsumer({ rules: RULES, shared: { clock, volume } });
    await clock.runUntil(next.broker.deliver(deliveries(5)));
    expect(letters(first, next)).toEqual([["rejected", "page"]]);
    await stop(next);
  });
});

describe("an incident that started in the future", () => {
  test("within the skew of the clocks is acted on", async () => {
    const process = await runningConsumer({ execution: { clockSkewMsMax: 60_000 } });
    const started_on = Math.floor(process.clock.wallMs() / 1000) + 60;
    await process.clock.runUntil(process.broker.deliver(deliveries(1, { started_on })));
    expect(process.sender.sends).toHaveLength(1);
    await stop(process);
  });

  test("beyond it is undecodable: nothing of it stays on the volume", async () => {
    const process = await runningConsumer({ execution: { clockSkewMsMax: 60_000 } });
    const started_on = Math.floor(process.clock.wallMs() / 1000) + 120;
    await process.clock.runUntil(process.broker.deliver(deliveries(1, { started_on })));
    expect(process.sender.sends).toEqual([]);
    expect(letters(process)).toEqual([["undecodable", undefined]]);
    expect(process.volume.paths().filter((path) => path.startsWith("claims/"))).toEqual([]);
    await stop(process);
  });
});
