import { expect, test, describe } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import { apacheKafka } from "./apache-kafka.ts";
import { brokerObjects } from "./broker-objects.ts";
import { redpanda } from "./redpanda.ts";
import type { BrokerPlan } from "./software.ts";

const authority = await createAuthority();
const plan: BrokerPlan = {
  admin: { name: "ADMIN", port: 9100, advertised: "127.0.0.1:41000" },
  podListeners: [{ name: "PODS1", port: 9101, advertised: "relay.kit.svc:41001" }],
  certificate: await authority.issue({ commonName: "broker" }),
  authorityPem: authority.certificatePem,
};

describe.each([apacheKafka("kafka:1"), redpanda("redpanda:1")])(
  "$kind in a cluster",
  (software) => {
    const [secret, service, statefulSet] = brokerObjects(software, plan, "kit");

    test("consists of a Secret, a Service and a StatefulSet with the same name", () => {
      const objects = [secret, service, statefulSet];
      expect(objects.map((object) => object?.kind)).toEqual(["Secret", "Service", "StatefulSet"]);
      expect(new Set(objects.map((object) => object?.metadata?.name))).toEqual(new Set(["broker"]));
      expect(statefulSet).toMatchObject({ spec: { serviceName: "broker", replicas: 1 } });
    });

    test("has its files, including its key, only in the Secret", () => {
      expect(secret).toMatchObject({ stringData: software.files(plan) });
      expect(JSON.stringify([service, statefulSet])).not.toContain("PRIVATE KEY");
    });

    test("runs its preparation before it starts, with the same files and directories", () => {
      const mounts = [
        { name: "files", mountPath: "/etc/broker", readOnly: true },
        ...software.directories.map((mountPath, index) => {
          return { name: `directory-${index}`, mountPath };
        }),
      ];
      expect(statefulSet).toMatchObject({
        spec: {
          template: {
            spec: {
              initContainers: [
                { command: ["/bin/sh", "-ec", software.prepare], volumeMounts: mounts },
              ],
              containers: [{ command: software.argv, volumeMounts: mounts, image: software.image }],
            },
          },
        },
      });
    });

    test("keeps its records when the pod restarts, and runs as the user of its image", () => {
      expect(statefulSet).toMatchObject({
        spec: {
          volumeClaimTemplates: [{ metadata: { name: "directory-0" } }],
          template: {
            spec: { securityContext: { runAsUser: software.userId, runAsNonRoot: true } },
          },
        },
      });
    });

    test("has a port for every listener, and is ready when the administrator's port is open", () => {
      const names = ["admin", "pods1"];
      expect(service).toMatchObject({ spec: { ports: names.map((name) => ({ name })) } });
      expect(statefulSet).toMatchObject({
        spec: {
          template: {
            spec: {
              containers: [
                {
                  ports: names.map((name) => ({ name })),
                  startupProbe: { tcpSocket: { port: 9100 } },
                  readinessProbe: { tcpSocket: { port: 9100 } },
                  livenessProbe: { tcpSocket: { port: 9100 } },
                },
              ],
            },
          },
        },
      });
    });
  },
);
