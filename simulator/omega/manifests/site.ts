/**
 * The facts about a cluster that omega.yaml does not state: images of the sidecars and the
 * addresses of their servers. On Omega the platform fills this in; in the kit it names simulators.
 */
export interface Site {
  /**
   * The Athenz service identity agent, which writes certificate, key and CA bundle into
   * `/var/run/athenz`. When it is absent, the platform adds its own.
   */
  readonly identity?: SidecarSite;
  /**
   * The log forwarder, which tails `custom.appLogsDirs`. When it is absent, the platform adds its
   * own.
   */
  readonly splunk?: SidecarSite;
  /**
   * Variables that are added last to the app container, so that they override others. Defaults to
   * none.
   */
  readonly appEnvironment?: Readonly<Record<string, string>>;
}

export interface SidecarSite {
  readonly image: string;
  /** The entry point, when it is not the image's. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  /**
   * Endpoints and options of this sidecar. They are added to the variables that the renderer sets
   * itself, and override them. Defaults to none.
   */
  readonly environment?: Readonly<Record<string, string>>;
}
