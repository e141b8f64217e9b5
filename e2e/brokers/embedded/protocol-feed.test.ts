import { expect, test } from "vitest";
import { ProtocolHistory } from "#simulator/kafka/protocol/protocol-history.ts";
import { ProtocolFeed } from "./protocol-feed.ts";

const PLACE = { topic: "t", partition: 0, node: 1, clientId: "pod-a" } as const;

function recorded(eventsMax: number) {
  const history = new ProtocolHistory(eventsMax);
  const control = {
    protocolHistory: async ({ after }: { readonly after: number }) => history.after(after),
  };
  const fetched = (count: number): void => {
    for (let index = 0; index < count; index += 1) {
      const range = { offset: BigInt(index), nextOffset: BigInt(index + 1) };
      history.add({ type: "records-fetched", atMs: index, ...PLACE, ...range });
    }
  };
  return { history, fetched, feed: new ProtocolFeed(control) };
}

test("reads every page and every later event exactly once", async () => {
  const { fetched, feed } = recorded(100_000);
  fetched(25_000);
  expect(await feed.all()).toHaveLength(25_000);
  fetched(2);
  const [first, second] = await Promise.all([feed.all(), feed.all()]);
  expect(first).toHaveLength(25_002);
  expect(second).toEqual(first);
});

test("reads the partitions of each member of a generation", async () => {
  const { history, feed } = recorded(10);
  const assignment = Buffer.alloc(19);
  assignment.writeInt32BE(1, 2);
  assignment.writeInt16BE(1, 6);
  assignment.write("t", 8);
  assignment.writeInt32BE(1, 9);
  assignment.writeInt32BE(7, 13);
  const member = { memberId: "m", clientId: "pod-a" };
  const generation = { atMs: 1, group: "g", generation: 3 };
  history.add({
    type: "generation-formed",
    ...generation,
    members: [{ ...member, assignment }],
  });
  expect(await feed.all()).toEqual([
    {
      type: "generation-formed",
      ...generation,
      members: [{ ...member, partitions: [{ topic: "t", partition: 7 }] }],
    },
  ]);
});

test("every read fails when the broker no longer keeps an event", async () => {
  const { fetched, feed } = recorded(10);
  fetched(25);
  await expect(feed.all()).rejects.toThrow(
    /the history of the protocol is incomplete: the broker no longer keeps \d+ events after number 0/,
  );
  await expect(feed.all()).rejects.toThrow("is incomplete");
});
