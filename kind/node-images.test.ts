import type { V1Node } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { KindCluster } from "./cluster.ts";
import { fakeCommands } from "./fake-command.ts";
import { contentName, loadAs, nodesWithout } from "./node-images.ts";

const ENGINE = "if (argv[0] === 'image') console.log('sha256:0123456789abcdef 7')";

test.each([
  ["localhost/app:local", "localhost/app:0123456789ab"],
  ["registry:5000/team/app", "registry:5000/team/app:0123456789ab"],
  ["registry/app@sha256:ffff", "registry/app:0123456789ab"],
])("%s is named by its content", async (reference, name) => {
  await using _ = await fakeCommands({ docker: ENGINE });
  await expect(contentName("docker", reference)).resolves.toBe(name);
});

test("the engine knows the name of the content only while it is loaded, also when that fails", async () => {
  await using commands = await fakeCommands({ docker: ENGINE, kind: "process.exitCode = 1" });
  const cluster = new KindCluster({ name: "one", engine: "docker", kubeconfigFile: "/state/k" });
  const loading = loadAs("localhost/app:0", "localhost/app:local", { cluster, nodes: ["a"] });
  await expect(loading).rejects.toThrow("kind load docker-image");
  const said = (await commands.invocations()).map(({ command, argv }) =>
    [command, ...argv].join(" "),
  );
  expect(said).toEqual([
    "docker tag localhost/app:local localhost/app:0",
    "kind load docker-image localhost/app:0 --name one --nodes a",
    "docker image rm localhost/app:0",
  ]);
});

function node(name: string, images: string[], effect?: string): V1Node {
  return {
    metadata: { name },
    ...(effect !== undefined && { spec: { taints: [{ key: "k", effect }] } }),
    status: { images: [{ names: images }] },
  };
}

test("only nodes that run pods and lack the image are given it", () => {
  const nodes = [
    node("control-plane", [], "NoSchedule"),
    node("has-it", ["localhost/app:0", "localhost/app:1"]),
    node("has-another", ["localhost/app:0"]),
    { metadata: { name: "says-nothing" } },
  ];
  expect(nodesWithout("localhost/app:1", nodes)).toEqual(["has-another", "says-nothing"]);
});
