import { createRequire } from "node:module";

/**
 * Loads a class of kafkajs 2.2.4, and returns a function that replaces one of its methods. Throws when the method
 * does not exist: the version is pinned, and each patch says what it mends.
 */
export function internal<Class extends object>(module: string) {
  const loaded: unknown = createRequire(import.meta.url)(`kafkajs/src/${module}`);
  const prototype: unknown = typeof loaded === "function" ? loaded.prototype : undefined;
  return <Name extends keyof Class & string>(
    name: Name,
    replace: (original: Class[Name]) => Class[Name],
  ): void => {
    if (!hasMethod<Class, Name>(prototype, name)) {
      throw new TypeError(`kafkajs/src/${module} has no ${name}: is it version 2.2.4?`);
    }
    prototype[name] = replace(prototype[name]);
  };
}

function hasMethod<Class extends object, Name extends keyof Class>(
  prototype: unknown,
  name: Name,
): prototype is Pick<Class, Name> {
  return (
    typeof prototype === "object" &&
    prototype !== null &&
    typeof Reflect.get(prototype, name) === "function"
  );
}
