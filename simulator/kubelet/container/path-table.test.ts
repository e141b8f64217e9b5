import { expect, test } from "vitest";
import { PathTable } from "./path-table.ts";

const table = new PathTable([
  ["/data", "/host/data"],
  ["/data/history", "/host/volume"],
  ["/tmp", "/host/tmp"],
  ["/tmp/shared", "/tmp/shared"],
]);

test.each([
  ["/data", "/host/data"],
  ["/data/x/y", "/host/data/x/y"],
  ["/data/history/claims", "/host/volume/claims"],
  ["/data/../data/x", "/host/data/x"],
  ["/database", undefined],
  ["/etc/passwd", undefined],
])("the longest container path that holds %s wins: %s", (path, host) => {
  expect(table.toHost(path)).toBe(host);
});

test.each([
  ["/data/x", "/host/data/x"],
  ["--file=/data/x", "--file=/host/data/x"],
  ["/data/history:/tmp", "/host/volume:/host/tmp"],
  ["cat '/data/x' > /tmp/y; ls /data", "cat '/host/data/x' > /host/tmp/y; ls /host/data"],
  ["http://host/data/x", "http://host/data/x"],
  ["/srv/data/x", "/srv/data/x"],
  ["/database", "/database"],
  ["/tmp/shared/cache", "/tmp/shared/cache"],
])("%s is translated to %s", (text, translated) => {
  expect(table.translate(text)).toBe(translated);
});
