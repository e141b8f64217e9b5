/** The forms of values in Kubernetes objects, as an API server reads them. */

export const INT32_MAX = 2_147_483_647;

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Checks for a DNS label: a name of RFC 1123 without dots. */
export function isDnsLabel(text: string): boolean {
  return DNS_LABEL.test(text);
}

/** Checks for a DNS subdomain: labels with dots between them. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && DNS_SUBDOMAIN.test(text);
}

/** Returns a count or a percentage such as 25%, or undefined for anything else. */
export function countOrPercentOf(
  value: number | string,
): { value: number; percent: boolean } | undefined {
  if (typeof value === "number") {
    return Number.isInteger(value) && value >= 0 && value <= INT32_MAX
      ? { value, percent: false }
      : undefined;
  }
  return /^\d+%$/.test(value) ? { value: Number(value.slice(0, -1)), percent: true } : undefined;
}

const QUANTITY =
  /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?\d{1,18}))$/;
const BINARY = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
/** Quantities have nine decimal places. Finer values are rounded up. */
const NANO = 9;
/** Beyond this exponent, every value is more than any node has, or less than the finest one. */
const EXPONENT_MAX = 100;

/**
 * Returns a quantity such as 500m, 2Gi, 129e6 or 0.5 in billionths, or undefined for anything else.
 * An API server knows no suffix K.
 */
export function quantityOf(value: string | number): bigint | undefined {
  const parts = QUANTITY.exec(String(value).trim());
  if (parts === null) return undefined;
  const [, sign, whole = "", fraction = "", binary, decimal = "", exponent] = parts;
  const digits = BigInt(`${whole}${fraction}`);
  const power = exponent === undefined ? (DECIMAL[decimal] ?? 0) : Number(exponent);
  const bounded = Math.min(EXPONENT_MAX, Math.max(-EXPONENT_MAX, power));
  const scale = bounded + NANO - fraction.length;
  const factor = binary === undefined ? 1n : 1024n ** BigInt(BINARY.indexOf(binary) + 1);
  const parsed =
    scale >= 0
      ? digits * factor * 10n ** BigInt(scale)
      : roundedUp(digits * factor, 10n ** BigInt(-scale));
  return sign === "-" ? -parsed : parsed;
}

function roundedUp(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}

/** Tells whether a quantity is no whole number, such as 100m. */
export function isFractional(quantity: bigint): boolean {
  return quantity % 10n ** BigInt(NANO) !== 0n;
}
