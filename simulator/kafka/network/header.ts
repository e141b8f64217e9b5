import { API_VERSIONS_KEY, unsupportedVersion } from "#simulator/kafka/apis/18-api-versions.ts";
import { encodeBody } from "#simulator/kafka/apis/define.ts";
import type { Api, Pieces } from "#simulator/kafka/apis/define.ts";
import type { RequestReader } from "#simulator/kafka/wire/reader.ts";

/** Larger pieces of an answer are not copied. */
const COPIED_BYTES_MAX = 4096;

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/**
 * Reads the part of the header that every version has. Tagged fields follow in flexible versions.
 */
export function readHeader(reader: RequestReader): RequestHeader {
  return {
    apiKey: reader.int16(),
    apiVersion: reader.int16(),
    correlationId: reader.int32(),
    clientId: reader.string(false),
  };
}

/** Builds a frame: size, correlation id, tagged fields where the version has them, and the body. */
export function replyFrame(api: Api, header: RequestHeader, body: Pieces): Pieces {
  const isTagged = api.format(header.apiVersion).flexible && api.plainResponseHeader !== true;
  const bodyBytes = body.reduce((sum, piece) => sum + piece.length, 0);
  const head = Buffer.alloc(isTagged ? 9 : 8);
  head.writeInt32BE(head.length - 4 + bodyBytes, 0);
  head.writeInt32BE(header.correlationId, 4);
  return withoutCrumbs([head, ...body]);
}

/** Joins small pieces with their neighbours. Large ones stay where they are. */
function withoutCrumbs(pieces: Pieces): Pieces {
  const kept: Buffer[] = [];
  let crumbs: Buffer[] = [];
  const sweep = (): void => {
    if (crumbs.length > 0) kept.push(Buffer.concat(crumbs));
    crumbs = [];
  };
  for (const piece of pieces) {
    if (piece.length < COPIED_BYTES_MAX) crumbs.push(piece);
    else {
      sweep();
      kept.push(piece);
    }
  }
  sweep();
  return kept;
}

/**
 * Answers a client that is newer than this broker and asks ApiVersions in an unknown version, in
 * version 0.
 */
export function unsupportedApiVersions(api: Api, header: RequestHeader): Pieces | undefined {
  if (api.key !== API_VERSIONS_KEY) return undefined;
  const { codec, answer } = unsupportedVersion(api);
  const body = encodeBody(codec, answer, api.format(0));
  return replyFrame(api, { ...header, apiVersion: 0 }, body);
}
