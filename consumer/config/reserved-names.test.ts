import { createServer } from "node:http";
import { once } from "node:events";
import { describe, expect, test } from "vitest";

import { sendHttp } from "#consumer/adapters/http/http-action.ts";
import { faultsOfAction, faultsOfCommand } from "#fixtures/rule-faults.ts";
import { fakeIdentity } from "#fixtures/ports/in-memory-ports.ts";

describe("a header that would not be sent as it stands here", () => {
  test.each([
    "Expect",
    "expect",
    "Upgrade",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Proxy-Connection",
    "HTTP2-Settings",
    "Transfer-Encoding",
    "Connection",
    "Content-Length",
    "Content-Encoding",
    "Host",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Idempotency-Key",
    "Traceparent",
  ])("%s is refused", (name) => {
    expect(faultsOfAction({ headers: { [name]: "100-continue" } })).toEqual([
      expect.stringContaining(`headers.${name}`),
    ]);
  });

  test("is none of those that are accepted", async () => {
    const names = ["accept", "accept-encoding", "user-agent", "date", "origin", "referer", "via"];
    const values = Object.fromEntries([...names, "x-a"].map((name) => [name, "value"]));
    expect(faultsOfAction({ headers: values })).toEqual([]);
    const received = Promise.withResolvers<unknown>();
    const server = createServer((request, response) => {
      received.resolve(request.headers);
      response.end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const action = {
      type: "http",
      method: "POST",
      url: `http://127.0.0.1:${port}/`,
      headers: values,
      body: "{}",
      notAppliedStatuses: [],
      useIdentity: false,
    } as const;
    const options = {
      idempotencyKey: "k",
      traceparent: "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
      deadlineMs: 10_000,
      identity: fakeIdentity(),
    };
    await sendHttp(action, options);
    server.close();
    expect(await received.promise).toMatchObject(values);
  });
});

describe("a variable that says which code runs, or that the consumer sets", () => {
  test.each([
    "PATH",
    "IDEMPOTENCY_KEY",
    "TRACEPARENT",
    "TRACESTATE",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "DYLD_INSERT_LIBRARIES",
    "BASH_ENV",
    "ENV",
    "IFS",
    "SHELLOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "CDPATH",
    "ZDOTDIR",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "PERL5OPT",
    "PERL5LIB",
    "PERLLIB",
    "RUBYOPT",
    "RUBYLIB",
    "GEM_PATH",
    "BUNDLE_GEMFILE",
    "GIT_SSH_COMMAND",
    "GIT_CONFIG_GLOBAL",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "CLASSPATH",
    "LUA_INIT",
    "PHPRC",
    "AWKPATH",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "LESSOPEN",
    "SSH_ASKPASS",
    "GCONV_PATH",
    "OPENSSL_CONF",
    "HOSTALIASES",
    "MAKEFLAGS",
    "Path",
  ])("%s is refused", (name) => {
    expect(faultsOfCommand(["/bin/a"], { [name]: "/tmp/x" })).toEqual([
      expect.stringMatching(
        new RegExp(`environment\\.${name} \\(line \\d+\\): .*not allowed here`),
      ),
    ]);
    expect(faultsOfCommand(["/usr/bin/env", `${name}=/tmp/x`, "/bin/a"])).toEqual([
      expect.stringContaining("not allowed here"),
    ]);
  });

  test("is none of those that a command is usually given", () => {
    const environment = {
      HOME: "/tmp",
      TITLE: "{{incident.title}}",
      LANG: "C.UTF-8",
      TZ: "UTC",
      HTTPS_PROXY: "http://proxy:3128",
      KUBECONFIG: "/etc/kube",
      ENVIRONMENT: "{{incident.environment}}",
      PATHS: "x",
      MY_LD_PRELOAD: "x",
      NODES: "2",
      NODE_ENV: "production",
      NODE_NAME: "{{incident.tags.host}}",
      PYTHONUNBUFFERED: "1",
      PYTHONIOENCODING: "utf-8",
      PYTHONDONTWRITEBYTECODE: "1",
      GIT_BRANCH: "main",
      GIT_COMMIT: "{{incident.tags.commit}}",
      DIGIT_COUNT: "1",
    };
    expect(faultsOfCommand(["/bin/a"], environment)).toEqual([]);
  });
});
