interface StoredSecret {
  readonly value: string;
  /** The version, counted from 1. */
  readonly version: number;
}

export interface SecretStore {
  /** Stores the first or the next version (a rotation) and returns its number. */
  put(keyGroup: string, name: string, value: string): number;
  remove(keyGroup: string, name: string): void;
  /** Returns the newest version. */
  find(keyGroup: string, name: string): StoredSecret | undefined;
}

export function createSecretStore(): SecretStore {
  const secrets = new Map<string, StoredSecret>();
  return {
    put(keyGroup, name, value) {
      const version = (secrets.get(keyOf(keyGroup, name))?.version ?? 0) + 1;
      secrets.set(keyOf(keyGroup, name), { value, version });
      return version;
    },
    remove(keyGroup, name) {
      secrets.delete(keyOf(keyGroup, name));
    },
    find: (keyGroup, name) => secrets.get(keyOf(keyGroup, name)),
  };
}

function keyOf(keyGroup: string, name: string): string {
  return JSON.stringify([keyGroup, name]);
}
