const SystemDate = Date;
let offsetMs = 0;

/**
 * Replaces JavaScript's Date by one whose present can be moved; the objects that it creates are
 * ordinary dates. It must be installed before any other code, which may keep `Date` or `Date.now`.
 */
export function installClock() {
  const now = SystemDate.now;
  const present = () => now() + offsetMs;
  function Date(...parameters) {
    if (new.target === undefined) return new SystemDate(present()).toString();
    const given = parameters.length === 0 ? [present()] : parameters;
    return Reflect.construct(SystemDate, given, new.target === Date ? SystemDate : new.target);
  }
  for (const name of ["UTC", "parse"]) define(Date, name, SystemDate[name]);
  define(Date, "now", { now: present }.now);
  Object.defineProperty(Date, "prototype", { value: SystemDate.prototype, writable: false });
  Object.defineProperty(Date, "length", { value: SystemDate.length });
  define(SystemDate.prototype, "constructor", Date);
  define(globalThis, "Date", Date);
}

export function moveClock(ms) {
  offsetMs = ms;
}

/** Measures how far JavaScript's Date is ahead of the system's clock, as a program sees it. */
export function clockAheadMs() {
  return globalThis.Date.now() - SystemDate.now();
}

function define(object, name, value) {
  Object.defineProperty(object, name, {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}
