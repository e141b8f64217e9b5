import { AuthenticationFailed } from "#simulator/kafka/security/authentication-failed.ts";
import { bytes, int16, int64, nullableString, since, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { MalformedRequest } from "#simulator/kafka/wire/reader.ts";
import { defineApi } from "./define.ts";

export const saslAuthenticate = defineApi({
  key: 36,
  name: "SaslAuthenticate",
  versions: [0, 2],
  flexibleFrom: 2,
  request: struct({ authBytes: bytes }),
  response: struct({
    errorCode: int16,
    errorMessage: nullableString,
    authBytes: bytes,
    sessionLifetimeMs: since(1, int64, 0n),
  }),
  async handle({ authBytes }, { cluster, session, listener }) {
    if (!session.isInExchange) {
      if (!session.isAuthenticated(cluster.timers.nowMs())) {
        throw new MalformedRequest("SaslAuthenticate before SaslHandshake");
      }
      const message = "SaslAuthenticate request received without a SaslHandshake";
      return failed(errorCode("ILLEGAL_SASL_STATE"), message);
    }
    const { listeners, reauthenticationMsMax } = cluster.settings;
    const own = listeners.find(({ name }) => name === listener)?.sasl?.reauthenticationMsMax;
    const lifetimeMs = own ?? reauthenticationMsMax;
    const endsAtMs =
      lifetimeMs === 0 ? Number.POSITIVE_INFINITY : cluster.timers.nowMs() + lifetimeMs;
    try {
      const step = await session.next(authBytes, endsAtMs);
      const sessionLifetimeMs = step.user === undefined ? 0n : BigInt(lifetimeMs);
      return { errorCode: 0, errorMessage: "", authBytes: step.reply, sessionLifetimeMs };
    } catch (error) {
      if (!(error instanceof AuthenticationFailed)) throw error;
      session.reject();
      return failed(errorCode("SASL_AUTHENTICATION_FAILED"), error.message);
    }
  },
  refuse: (_request, error) => failed(error, null),
});

function failed(error: number, errorMessage: string | null) {
  return { errorCode: error, errorMessage, authBytes: Buffer.alloc(0) };
}
