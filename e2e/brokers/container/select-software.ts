import { apacheKafka } from "./apache-kafka.ts";
import { BROKER_IMAGES } from "./images.ts";
import { redpanda } from "./redpanda.ts";
import type { BrokerSoftware } from "./software.ts";

/** Returns the software of a kind of broker. `image` replaces the pinned image unless it is null. */
export function selectSoftware(kind: "kafka" | "redpanda", image: string | null): BrokerSoftware {
  const named = image ?? BROKER_IMAGES[kind];
  return kind === "kafka" ? apacheKafka(named) : redpanda(named);
}
