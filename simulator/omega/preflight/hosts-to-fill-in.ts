import { parseConfig } from "#consumer/config/load-config.ts";
import { hasCode } from "#consumer/errors.ts";
import { parseTemplate } from "#consumer/planning/templates/template.ts";
import { urlTemplate } from "#consumer/planning/templates/url-template.ts";
import type { OmegaJob } from "#simulator/omega/manifests/identities.ts";
import type { Finding } from "./findings.ts";

/** Names that never belong to a host (RFC 2606, RFC 6761). */
const RESERVED = /(?:^|\.)(?:invalid|test|example|example\.(?:com|net|org))$/;

/**
 * Returns one warning that names every host of a configuration that nobody has filled in yet. A configuration that is
 * wrong has none: another rule reports it.
 */
export function hostsToFillIn(job: OmegaJob, content: string | undefined): Finding[] {
  const hosts = content === undefined ? [] : hostsOf(content).filter((host) => RESERVED.test(host));
  if (hosts.length === 0) return [];
  const subject = [...new Set(hosts)].toSorted().join(", ");
  const message = `the configuration names hosts that do not exist, fill them in: ${subject}`;
  return [{ rule: "host-to-fill-in", place: job, subject, message, isWarning: true }];
}

function hostsOf(content: string): string[] {
  try {
    const { kafka, ckms, rules } = parseConfig(content, "config.yaml");
    const urls = rules
      .flatMap(({ actions }) => actions)
      .flatMap((action) => (action.type === "http" ? [action.url] : []))
      .map((url) => urlTemplate(parseTemplate(url)).origin);
    return [
      ...kafka.brokers.map((broker) => broker.slice(0, broker.lastIndexOf(":"))),
      ...[ckms.url, ...urls].map((url) => new URL(url).hostname),
    ];
  } catch (error) {
    if (!hasCode(error, "bad-configuration")) throw error;
    return [];
  }
}
