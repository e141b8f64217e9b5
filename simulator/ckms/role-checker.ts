import { jsonField } from "#simulator/http/json-fields.ts";
import { requestJson } from "#simulator/http/json-request.ts";

/** Checks roles. It is asked at every request, so that a grant or a removal counts at once. */
export interface RoleChecker {
  /** Tells whether the principal has the role. Rejects when the question cannot be answered. */
  isMember(domain: string, role: string, principal: string): boolean | Promise<boolean>;
}

/**
 * Returns a checker that asks ZTS over HTTPS: `GET
 * /access/domain/{domain}/role/{role}/principal/{principal}`.
 */
export function remoteRoleChecker(options: {
  /** The URL of ZTS, such as `https://127.0.0.1:4443/zts/v1`. */
  readonly ztsUrl: string;
  /** PEM of the authority that signs the certificate of the ZTS server. */
  readonly authorityPem: string;
}): RoleChecker {
  return {
    async isMember(domain, role, principal) {
      const path = `access/domain/${domain}/role/${role}/principal/${principal}`;
      const { status, body } = await requestJson(`${options.ztsUrl}/${path}`, {
        authority: options.authorityPem,
      });
      if (status !== 200) throw new Error(`ZTS answered ${status} to ${path}`);
      return jsonField(body, "granted") === true;
    },
  };
}
