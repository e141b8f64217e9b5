import { API_VERSIONS_KEY, unsupportedVersion } from "../apis/18-api-versions.ts";
import { encodeBody } from "../apis/define.ts";
import type { Api } from "../apis/define.ts";
import type { RequestReader } from "../wire/reader.ts";

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/** The part that every version has; tagged fields follow in flexible ones. */
export function readHeader(reader: RequestReader): RequestHeader {
  return {
    apiKey: reader.int16(),
    apiVersion: reader.int16(),
    correlationId: reader.int32(),
    clientId: reader.string(false),
  };
}

/** Size, correlation id, tagged fields where the version has them, body. */
export function replyFrame(api: Api, header: RequestHeader, body: Buffer): Buffer {
  const isTagged = api.format(header.apiVersion).flexible && api.plainResponseHeader !== true;
  const headerBytes = isTagged ? 5 : 4;
  const frame = Buffer.allocUnsafe(4 + headerBytes + body.length);
  frame.writeInt32BE(headerBytes + body.length, 0);
  frame.writeInt32BE(header.correlationId, 4);
  if (isTagged) frame.writeInt8(0, 8);
  body.copy(frame, 4 + headerBytes);
  return frame;
}

/** A client that is newer than this broker asks ApiVersions in a version of its own and is answered in version 0. */
export function unsupportedApiVersions(api: Api, header: RequestHeader): Buffer | undefined {
  if (api.key !== API_VERSIONS_KEY) return undefined;
  const { codec, answer } = unsupportedVersion(api);
  const body = encodeBody(codec, answer, api.format(0));
  return replyFrame(api, { ...header, apiVersion: 0 }, body);
}
