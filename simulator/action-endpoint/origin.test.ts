import { expect, test } from "vitest";
import { pathOfOrigin, splitOrigin } from "./origin.ts";

test.each([
  ["https://tickets.example.com", "/api/issues?urgent=1", "/api/issues?urgent=1"],
  ["http://tickets.example.com:8080", "/origin/https/other/x", "/origin/https/other/x"],
  ["https://[::1]:8443", "", "/"],
  ["https://tickets.example.com", "?a=/b", "/?a=/b"],
])("finds the origin %s again, with the path %j", (origin, path, found) => {
  expect(splitOrigin(pathOfOrigin(origin) + path)).toEqual({ origin, path: found });
});

test.each(["/", "/tickets?x=/origin/https/host/", "/origin/ftp/host/x", "/origin/https/"])(
  "takes %s for a path of the endpoint itself",
  (path) => {
    expect(splitOrigin(path)).toEqual({ origin: null, path });
  },
);
