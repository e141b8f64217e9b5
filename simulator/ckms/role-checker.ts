import { jsonField } from "#simulator/http/json-fields.ts";
import { requestJson } from "#simulator/http/json-request.ts";

/** Who may: asked at every request, so that a grant or a removal counts at once. */
export interface RoleChecker {
  /** Rejects when the question cannot be answered. */
  isMember(domain: string, role: string, principal: string): boolean | Promise<boolean>;
}

/** Asks ZTS over HTTPS: `GET /access/domain/{domain}/role/{role}/principal/{principal}`. */
export function remoteRoleChecker(options: {
  /** Such as `https://127.0.0.1:4443/zts/v1`. */
  readonly ztsUrl: string;
  /** PEM that signs the ZTS server. */
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
