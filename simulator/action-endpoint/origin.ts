/** The path below which the endpoint stands in for other origins, each under its scheme and host. */
const PREFIX = /^\/origin\/(?<scheme>https?)\/(?<host>[^/?]+)/;

/** Returns the path of the endpoint below which it stands in for an origin, such as `https://tickets.example.com`. */
export function pathOfOrigin(origin: string): string {
  const { protocol, host } = new URL(origin);
  return `/origin/${protocol.slice(0, -1)}/${host}`;
}

/** Returns the origin that a request was meant for, null for the endpoint itself, and its path there. */
export function splitOrigin(path: string): {
  readonly origin: string | null;
  readonly path: string;
} {
  const found = PREFIX.exec(path);
  if (found?.groups === undefined) return { origin: null, path };
  const rest = path.slice(found[0].length);
  return {
    origin: `${found.groups["scheme"]}://${found.groups["host"]}`,
    path: rest.startsWith("/") ? rest : `/${rest}`,
  };
}
