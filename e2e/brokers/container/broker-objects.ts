import type { KubernetesObject, V1StatefulSet } from "@kubernetes/client-node";
import { OUT_OF_THE_WAY } from "#e2e/targets/control-plane.ts";
import { FILES_DIRECTORY } from "./software.ts";
import type { BrokerPlan, BrokerSoftware } from "./software.ts";

/** The name of the StatefulSet, of its Service, and of the Secret with its files. */
export const BROKER = "broker";
/** The name of the only pod of the StatefulSet. */
export const BROKER_POD = `${BROKER}-0`;

const LABELS = { "app.kubernetes.io/name": BROKER };

/** Returns the host name of the Service. */
export function brokerHost(namespace: string): string {
  return `${BROKER}.${namespace}.svc`;
}

/**
 * Returns the objects that run one node of the broker in a cluster. The files that it reads are in a Secret; the files
 * that it writes are in a volume of its own.
 */
export function brokerObjects(
  software: BrokerSoftware,
  plan: BrokerPlan,
  namespace: string,
): KubernetesObject[] {
  const metadata = { name: BROKER, namespace, labels: LABELS };
  const ports = [plan.admin, ...plan.podListeners].map(({ name, port }) => {
    return { name: name.toLowerCase(), port };
  });
  return [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata,
      type: "Opaque",
      stringData: { ...software.files(plan) },
    } as KubernetesObject,
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      // The name of the Service resolves to the address of the pod, even before the pod is ready.
      spec: { clusterIP: "None", publishNotReadyAddresses: true, selector: LABELS, ports },
    } as KubernetesObject,
    { ...statefulSet(software, plan), metadata },
  ];
}

function statefulSet(software: BrokerSoftware, plan: BrokerPlan) {
  const { image, prepare, argv, environment, directories, userId } = software;
  const [records, ...others] = directories.map((mountPath, index) => {
    return { name: `directory-${index}`, mountPath };
  });
  if (records === undefined) throw new Error(`${software.kind} has no directory for its records`);
  const files = { name: "files", mountPath: FILES_DIRECTORY, readOnly: true };
  const container = {
    image,
    env: Object.entries(environment).map(([name, value]) => ({ name, value })),
    volumeMounts: [files, records, ...others],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  };
  const listens = { tcpSocket: { port: plan.admin.port }, timeoutSeconds: 5 };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    spec: {
      serviceName: BROKER,
      replicas: 1,
      selector: { matchLabels: LABELS },
      template: {
        metadata: { labels: LABELS },
        spec: {
          ...OUT_OF_THE_WAY,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: {
            runAsUser: userId,
            runAsGroup: userId,
            runAsNonRoot: true,
            fsGroup: userId,
          },
          initContainers: [{ ...container, name: "prepare", command: ["/bin/sh", "-ec", prepare] }],
          containers: [
            {
              ...container,
              name: BROKER,
              command: [...argv],
              ports: [plan.admin, ...plan.podListeners].map(({ name, port: containerPort }) => {
                return { name: name.toLowerCase(), containerPort };
              }),
              resources: { requests: { cpu: "100m", memory: "512Mi" } },
              startupProbe: { ...listens, periodSeconds: 2, failureThreshold: 90 },
              readinessProbe: { ...listens, periodSeconds: 5 },
              // The probe is patient, since a restart does not help a broker that a busy machine slows down.
              livenessProbe: { ...listens, periodSeconds: 30, failureThreshold: 10 },
            },
          ],
          volumes: [
            { name: files.name, secret: { secretName: BROKER } },
            ...others.map(({ name }) => ({ name, emptyDir: {} })),
          ],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: records.name },
          spec: {
            accessModes: ["ReadWriteOnce"],
            resources: { requests: { storage: "1Gi" } },
          },
        },
      ],
    },
  } satisfies V1StatefulSet;
}
