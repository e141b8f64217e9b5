// This program runs in place of every command of a configuration that is tried (recorder.ts). It writes the arguments
// and the names of the variables, never their values, to the ledger of the action endpoint.
import { request } from "node:http";

const [url, ...argv] = process.argv.slice(1);
const { IDEMPOTENCY_KEY: key, TRACEPARENT: traceparent } = process.env;
// The shell and the system set these.
const own = /^(?:PWD|OLDPWD|SHLVL|_|__CF.*)$/;
const variables = Object.keys(process.env).filter((name) => !own.test(name));
const headers = { "content-type": "application/json", "idempotency-key": key, traceparent };
const sent = request(url, { method: "POST", headers }, (response) => {
  response.resume();
  // EX_TEMPFAIL says that nothing was applied.
  process.exitCode = response.statusCode < 300 ? 0 : 75;
});
sent.end(JSON.stringify({ argv, variables: variables.toSorted() }));
