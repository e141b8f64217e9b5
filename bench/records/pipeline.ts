import { createKafkaBroker } from "#consumer/adapters/kafka/kafka.ts";
import { NAMES } from "#fixtures/configurations.ts";
import { incidentBytes } from "../incidents.ts";
import { errorLog, productionConfig } from "../settings.ts";
import { batchOf, recordOf } from "../volume/run-actions.ts";
import { openPipeline } from "../volume/open.ts";
import { CREDENTIALS } from "./options.ts";
import type { ReadOptions } from "./options.ts";

/** Runs the consumer as it is. The action is never reached, since every action has ended before. */
export async function pipeline(options: ReadOptions): Promise<number> {
  await using opened = await openPipeline(options.directory);
  const { handle, history } = opened;
  const ended = options.incidents.map((id, offset) =>
    recordOf(incidentBytes(id, options.startedOn), offset),
  );
  await handle(batchOf(ended));
  const { kafka } = productionConfig([options.bootstrap]);
  const broker = createKafkaBroker({
    kafka: { ...kafka, tls: false, groupId: options.group, topics: [NAMES.topic] },
    credentials: async () => CREDENTIALS,
    identity: { state: { ready: true }, current: () => Promise.reject(new Error("no identity")) },
    log: errorLog,
    metrics: { gauge: () => undefined },
  });
  const finished = Promise.withResolvers<number>();
  let seen = 0;
  let startMs = 0;
  // A record that is not a duplicate would be claimed.
  Object.assign(history.claims, {
    linkClaim: () => Promise.reject(new Error("a claim for a duplicate")),
  });
  broker
    .consume(async (batch) => {
      startMs ||= performance.now();
      await handle(batch);
      seen += batch.records.length;
      if (seen >= options.records) finished.resolve(performance.now() - startMs);
    })
    .catch((error: unknown) => finished.reject(error));
  return await finished.promise;
}
