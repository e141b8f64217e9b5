import type { FastifyInstance, FastifyRequest } from "fastify";
import { clientPrincipal } from "#simulator/http/client-principal.ts";
import { jsonField } from "#simulator/http/json-fields.ts";
import { serveRequestFaults } from "#simulator/http/request-faults.ts";
import type { InstalledFault } from "#simulator/http/request-faults.ts";
import { ResourceError } from "./zms.ts";
import type { Zms } from "./zms.ts";
import { objectOf } from "./zms-routes.ts";
import { requestedInstance } from "./certificate-names.ts";
import { WITHHELD } from "./zts.ts";
import type { CertificateRequest, InstanceRegisterInformation, Zts } from "./zts.ts";
import type { JsonObject } from "#consumer/json.ts";

interface InstancePath {
  readonly Params: {
    readonly provider: string;
    readonly domain: string;
    readonly service: string;
    readonly instanceId: string;
  };
}
interface AccessPath {
  readonly Params: { readonly domain: string; readonly role: string; readonly principal: string };
}

/**
 * Registers the API of instances (core/zts/src/main/rdl/Instance.rdli) and the role check of ZTS.
 */
export function registerZts(
  server: FastifyInstance,
  zts: Zts,
  zms: Zms,
  authorityPem: string,
): void {
  serveRequestFaults(server, zts.faults, {
    factsOf: certificateRequest,
    onMet: (request, action) => zts.noteFault(request, action),
  });

  server.post("/zts/v1/instance", async ({ body }, reply) => {
    const fields = objectOf(body);
    const information = {
      provider: text(fields, "provider"),
      domain: text(fields, "domain"),
      service: text(fields, "service"),
      attestationData: text(fields, "attestationData"),
      csr: text(fields, "csr"),
      ...expiryTime(fields),
    };
    const identity = await zts.register(information);
    const path = [identity.provider, information.domain, information.service, identity.instanceId];
    await reply
      .code(201)
      .header("location", `/zts/v1/instance/${path.join("/")}`)
      .send(identity);
  });

  server.post<InstancePath>(
    "/zts/v1/instance/:provider/:domain/:service/:instanceId",
    ({ params, body, raw }) => {
      const fields = objectOf(body);
      const information: InstanceRegisterInformation = {
        provider: params.provider,
        domain: params.domain,
        service: params.service,
        attestationData: "",
        csr: text(fields, "csr"),
        ...expiryTime(fields),
      };
      return zts.refresh(information, params.instanceId, clientPrincipal(raw.socket));
    },
  );

  server.get<AccessPath>(
    "/zts/v1/access/domain/:domain/role/:role/principal/:principal",
    ({ params }) => ({ granted: zms.isMember(params.domain, params.role, params.principal) }),
  );

  server.get<{ Params: { readonly name: string } }>("/zts/v1/cacerts/:name", ({ params }) => ({
    name: params.name,
    certs: authorityPem,
  }));

  registerControl(server, zts);
}

/** Returns undefined for a request that asks for no certificate. */
function certificateRequest({ url, body, params }: FastifyRequest): CertificateRequest | undefined {
  if (!url.startsWith("/zts/v1/instance")) return undefined;
  // A registration names everything in its body, and a refresh in its path.
  const [provider, domain, service] = ["provider", "domain", "service"].map((name) =>
    String(jsonField(params, name) ?? jsonField(body, name)),
  );
  const instanceId = requestedInstance(String(jsonField(body, "csr")), String(provider));
  return { principal: `${domain}.${service}`, instanceId };
}

/** Registers the routes that are ours: the controls of scenarios in another process. */
function registerControl(server: FastifyInstance, zts: Zts): void {
  let withheld: InstalledFault | null = null;

  server.get("/simulator/certificates", () => zts.events());

  server.put("/simulator/certificates", async ({ body }, reply) => {
    const { withheld: isWithheld, lifetimeMs, refreshAfterMs } = objectOf(body);
    if (isWithheld === true) withheld ??= zts.faults.add({ action: WITHHELD });
    if (isWithheld === false) {
      await withheld?.[Symbol.asyncDispose]();
      withheld = null;
    }
    if (lifetimeMs !== undefined) zts.setLifetime(duration("lifetimeMs", lifetimeMs));
    if (refreshAfterMs === null) zts.setRefreshAfter(undefined);
    else if (refreshAfterMs !== undefined) {
      zts.setRefreshAfter(duration("refreshAfterMs", refreshAfterMs));
    }
    await reply.code(204).send();
  });
}

function duration(name: string, value: unknown): number {
  if (typeof value !== "number" || !(value >= 0)) {
    throw new ResourceError(400, `${name} is not a number of milliseconds of at least 0`);
  }
  return value;
}

function text(fields: JsonObject, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new ResourceError(400, `${name} is missing or not a string`);
  return value;
}

function expiryTime(fields: JsonObject): { expiryTime?: number } {
  const value = fields.expiryTime;
  if (value === undefined) return {};
  if (typeof value !== "number" || !Number.isInteger(value) || value <= 0) {
    throw new ResourceError(400, "expiryTime is not a positive number of minutes");
  }
  return { expiryTime: value };
}
