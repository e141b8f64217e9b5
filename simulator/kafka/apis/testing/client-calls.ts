import * as platformatic from "@platformatic/kafka";
import type { Api } from "#simulator/kafka/apis/define.ts";
import type { ExchangeConnection } from "./exchange.ts";

type ClientCall = (connection: ExchangeConnection, ...args: readonly unknown[]) => Promise<unknown>;

/** Returns the function with which @platformatic/kafka calls an API in one of its versions. */
export function clientCall(api: Api, version: number): ClientCall {
  const found = find(api, version);
  if (found === undefined) throw new Error(`the client has no ${api.name} version ${version}`);
  return found;
}

function find(api: Api, version: number): ClientCall | undefined {
  const name = `${api.name[0]?.toLowerCase()}${api.name.slice(1)}V${version}`;
  const exported: unknown = Reflect.get(platformatic, name);
  return isCall(exported) ? exported.api.async : undefined;
}

function isCall(value: unknown): value is { readonly api: { readonly async: ClientCall } } {
  return typeof value === "object" && value !== null && "api" in value;
}

/** Returns the versions that we serve and @platformatic/kafka can speak. */
export function versionsOf(api: Api): number[] {
  const [min, max] = api.versions;
  const all = Array.from({ length: max - min + 1 }, (_, index) => min + index);
  return all.filter((version) => find(api, version) !== undefined);
}
