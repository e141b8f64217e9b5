import { array, string } from "#simulator/kafka/wire/codec.ts";
import { MalformedRequest, RequestReader } from "#simulator/kafka/wire/reader.ts";
import type { Group } from "./group.ts";
import type { Member } from "./member.ts";

/** The protocol type of consumers, whose metadata the broker can read. */
export const CONSUMER = "consumer";

/**
 * Tells whether a member of the group of consumers reads `topic`. Returns true as well when its
 * metadata cannot be read.
 */
export function isSubscribed(group: Group, topic: string): boolean {
  if (group.protocolType !== CONSUMER) return false;
  return group.members.some(
    (member) => topicsOf(member, group.protocolName)?.includes(topic) ?? true,
  );
}

/**
 * Reads a ConsumerProtocolSubscription: a version, then the topics in all versions. Returns
 * undefined for anything else.
 */
function topicsOf(member: Member, protocolName: string | null): readonly string[] | undefined {
  const protocol = member.protocols.find(({ name }) => name === protocolName);
  if (protocol === undefined) return undefined;
  try {
    const reader = RequestReader.from(protocol.metadata);
    reader.int16();
    return array(string).read(reader, { version: 0, flexible: false });
  } catch (error) {
    if (error instanceof MalformedRequest) return undefined;
    throw error;
  }
}
