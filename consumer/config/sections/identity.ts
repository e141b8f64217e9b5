import { z } from "zod";

import { PORTS_NEVER_SENT_TO } from "#consumer/config/destinations.ts";
import { milliseconds, path, section, text } from "#consumer/config/section.ts";

export const athenz = section({
  certificate: path(
    "The certificate, as PEM. Variable ATHENZ_CERT. Default /var/run/athenz/service.cert.pem.",
  ).default("/var/run/athenz/service.cert.pem"),
  key: path(
    "The private key, as PEM. Variable ATHENZ_KEY. Default /var/run/athenz/service.key.pem.",
  ).default("/var/run/athenz/service.key.pem"),
  ca: path(
    "The trusted authorities, as a PEM bundle. Expired ones are ignored with a warning. " +
      "Variable ATHENZ_CA. Default /var/run/athenz/ca.cert.pem.",
  ).default("/var/run/athenz/ca.cert.pem"),
  reloadIntervalMs: milliseconds(
    100,
    600_000,
    "How often the files are read again. While certificate and key do not match, the old " +
      "pair is kept; after 60 s the pod is unready and says why. Default 10000.",
  ).default(10_000),
});

export const ckms = section({
  url: z.string().superRefine(checkHttpsUrl).describe("The base URL of CKMS, which must be https."),
  keyGroup: text(256, "The key group in CKMS."),
  requestTimeoutMs: milliseconds(
    100,
    120_000,
    "The longest time of one request. Default 5000.",
  ).default(5000),
  retryIntervalMs: milliseconds(100, 600_000, "The time between attempts. Default 5000.").default(
    5000,
  ),
});

type Context = z.core.$RefinementCtx;

function checkHttpsUrl(value: string, context: Context): void {
  const url = URL.parse(value);
  if (url?.protocol !== "https:") {
    context.addIssue({ code: "custom", message: "must be an https URL" });
  } else if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    context.addIssue({
      code: "custom",
      message: "must have no user name, password, query or fragment",
    });
  } else if (PORTS_NEVER_SENT_TO.has(url.port)) {
    const message = `must not have port ${url.port}: nothing is ever sent to it`;
    context.addIssue({ code: "custom", message });
  }
}
