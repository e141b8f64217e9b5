/**
 * What the cluster brings and omega.yaml does not say: images of the sidecars and where their servers are. On
 * Omega the platform fills this in; in the kit it names simulators.
 */
export interface Site {
  /** Athenz service identity agent: writes certificate, key and CA bundle into `/var/run/athenz`. Absent: the platform adds its own. */
  readonly identity?: SidecarSite;
  /** Log forwarder: tails `custom.appLogsDirs`. Absent: the platform adds its own. */
  readonly splunk?: SidecarSite;
  /** Added to the app container, last, so that it overrides. [{}] */
  readonly appEnvironment?: Readonly<Record<string, string>>;
}

export interface SidecarSite {
  readonly image: string;
  /** Entry point, when not the image's. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  /** Endpoints and options of this sidecar; added to the variables that the renderer sets itself, and overrides them. [{}] */
  readonly environment?: Readonly<Record<string, string>>;
}
