import { array, int16, string, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { defineApi } from "./define.ts";

export const saslHandshake = defineApi({
  key: 17,
  name: "SaslHandshake",
  versions: [0, 1],
  request: struct({ mechanism: string }),
  response: struct({ errorCode: int16, mechanisms: array(string) }),
  handle({ mechanism }, { session, version }) {
    const { mechanisms } = session;
    if (mechanisms.length === 0) {
      return { errorCode: errorCode("ILLEGAL_SASL_STATE"), mechanisms: [] };
    }
    if (session.begin(mechanism, version === 0)) return { errorCode: 0, mechanisms };
    session.reject();
    return { errorCode: errorCode("UNSUPPORTED_SASL_MECHANISM"), mechanisms };
  },
  refuse: (_request, error) => ({ errorCode: error, mechanisms: [] }),
});
