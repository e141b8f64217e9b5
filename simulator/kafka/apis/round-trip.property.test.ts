import { ResponseError } from "@platformatic/kafka";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Codec, WireFormat } from "#simulator/kafka/wire/codec.ts";
import { Invention } from "#simulator/kafka/wire/testing/invention.ts";
import { MalformedRequest, RequestReader } from "#simulator/kafka/wire/reader.ts";
import { CASES } from "./testing/cases.ts";
import { clientCall, versionsOf } from "./testing/client-calls.ts";
import { encodeBody } from "./define.ts";
import type { Api } from "./define.ts";
import { ExchangeConnection } from "./testing/exchange.ts";
import { prepare } from "./testing/prepared.ts";
import { apis } from "./registry.ts";

interface Codecs {
  readonly request: Codec<unknown>;
  readonly response: Codec<unknown>;
}

describe.each([...apis.values()])("$name", (api) => {
  const [min, max] = api.versions;

  test.each(["request", "response"] as const)("any %s is read as it was written", (side) => {
    const codec = codecsOf(api)[side];
    fc.assert(
      fc.property(fc.gen(), fc.integer({ min, max }), fc.boolean(), (draw, version, hasNulls) => {
        const format = api.format(version);
        const message = invented(codec, format, new Invention(draw, { hasNulls }));
        const bytes = Buffer.concat(encodeBody(codec, writable(message), format));
        const reader = RequestReader.from(bytes);
        expect(codec.read(reader, format)).toEqual(message);
        expect(reader.remaining).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

/**
 * The APIs whose bytes fields the client parses further: it parses the batches of a Fetch, and for
 * DescribeGroups the metadata of members.
 */
const DEEPER = new Set(["Fetch"]);

describe.each([...apis.values()].filter(({ name }) => !DEEPER.has(name)))("$name", (api) => {
  test.each(versionsOf(api))(
    "any response of version %i is read to its end by @platformatic/kafka",
    async (version) => {
      const format = api.format(version);
      const codec = codecsOf(api).response;
      const prepared = await prepare();
      const { args } = CASES[api.name]?.(prepared, version) ?? { args: [] };
      await fc.assert(
        fc.asyncProperty(fc.gen(), fc.boolean(), async (draw, hasNulls) => {
          const invention = new Invention(draw, { hasNulls, isFreeOfErrors: true });
          const message = invented(codec, format, invention);
          const answer = encodeBody(codec, writable(message), format);
          const connection = new ExchangeConnection(prepared.cluster, async () => answer);
          await clientCall(api, version)(connection, ...args).catch((error: unknown) => {
            if (!(error instanceof ResponseError)) throw error;
          });
          expect(connection.exchanges.at(-1)?.unread.response).toBe(0);
        }),
        { numRuns: 30 },
      );
    },
  );
});

/** Skips a message that has a null where none is allowed. */
function invented(codec: Codec<unknown>, format: WireFormat, from: Invention): unknown {
  try {
    return codec.read(from, format);
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error;
    return fc.pre(false);
  }
}

/** Record batches are read as one buffer and written one by one. */
function writable(message: unknown): unknown {
  if (Array.isArray(message)) return message.map((element: unknown) => writable(element));
  if (typeof message !== "object" || message === null || Buffer.isBuffer(message)) return message;
  return Object.fromEntries(
    Object.entries(message).map(([name, value]: [string, unknown]) => {
      const isBatches = name === "records" && Buffer.isBuffer(value) && "highWatermark" in message;
      return [name, isBatches ? [value] : writable(value)];
    }),
  );
}

function codecsOf(api: Api): Codecs {
  if (!hasCodecs(api)) throw new TypeError(`${api.name} has no codecs`);
  return api;
}

function hasCodecs(api: Api): api is Api & Codecs {
  return "request" in api && "response" in api;
}
