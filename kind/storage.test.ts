import { expect, test } from "vitest";
import { withSharedClass } from "./storage.ts";

const PATHS = [
  { node: "DEFAULT_PATH_FOR_NON_LISTED_NODES", paths: ["/var/local-path-provisioner"] },
];
const ADDED = { name: "efs-default", sharedPath: "/shared", others: ["standard"] };

function changed(config: object, added = ADDED): unknown {
  return JSON.parse(withSharedClass(JSON.stringify(config), added));
}

test("the present class keeps its paths, as a class of its own", () => {
  expect(changed({ nodePathMap: PATHS, cmdTimeoutSeconds: 9 })).toEqual({
    nodePathMap: PATHS,
    cmdTimeoutSeconds: 9,
    storageClassConfigs: {
      standard: { nodePathMap: PATHS },
      "efs-default": { sharedFileSystemPath: "/shared" },
    },
  });
});

test("classes that have a configuration of their own keep it", () => {
  const own = { fast: { nodePathMap: PATHS } };
  expect(changed({ storageClassConfigs: own })).toEqual({
    storageClassConfigs: { ...own, "efs-default": { sharedFileSystemPath: "/shared" } },
  });
});

test("an empty list of classes counts as none, as for the provisioner", () => {
  expect(changed({ nodePathMap: PATHS, storageClassConfigs: {} })).toMatchObject({
    storageClassConfigs: { standard: { nodePathMap: PATHS } },
  });
});

test("a second change has no effect", () => {
  const once = withSharedClass(JSON.stringify({ nodePathMap: PATHS }), ADDED);
  expect(withSharedClass(once, ADDED)).toBe(once);
});

test("a value that is no object is refused", () => {
  expect(() => withSharedClass("[]", ADDED)).toThrow(
    "config.json of local-path-config is not an object",
  );
});
