import type { Action } from "#consumer/ports.ts";

/** The text that replaces a credential. */
const MASK = "[masked]";

/**
 * The names whose value counts as a credential wherever they stand: in a header, query, form, JSON, XML or variable.
 */
const NAME =
  "[\\w.-]*(?:passw(?:or)?d|passphrase|pwd|secret|token" +
  "|(?:api|access|private|encryption|signing|ssh|shared|account|subscription|license|functions)[-_.]?key" +
  "|signature|credential|session|cookie|authori[sz]ation|jwt|bearer)[\\w.-]*" +
  "|[\\w.-]*[-_.](?:auth|sig|pass)|auth|sig|pass|pw|pin|otp";
const QUOTE = String.raw`\\*["']`;
/** `name: value`, `name=value`, `"name": "value"` and so on, also in JSON that stands in a string of JSON. */
const NAMED = new RegExp(
  String.raw`(?<![\w.-])(${NAME})((?:${QUOTE})?\s*(?::|=>?|%3[aAdD])\s*)(?:(${QUOTE})(.*?)(?:\3|$)|(\[[^\]]*\]?|\{[^}]*\}?)|([^\s&;,"'<>{}\[\]]+))`,
  "gis",
);
/** The names whose value may hold spaces and separators, and ends with the line. */
const HEADER =
  /(?<![\w-])((?:set-)?cookie|(?:proxy-)?authori[sz]ation)(\s*[:=]\s*)(?!\s*\\*["'])[^\r\n"']+/gi;
const ELEMENT = new RegExp(String.raw`(<(?:${NAME})(?:\s[^>]*)?>)[^<]*`, "gi");
const SCHEME =
  /\b(bearer|basic|digest|negotiate|apikey|token|aws4-hmac-sha256)(\s+|%20)[\w.~+/=%-]{4,}/gi;
const USER_INFO = /(:\/\/|%3A%2F%2F)[^\s/?#"'<>]+@/gi;
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*-----|$)/gs;
/**
 * The formats of credentials that their issuers made recognizable: JWT, AWS, GitHub, GitLab, Slack, Stripe, Google,
 * npm.
 */
const KNOWN =
  /\beyJ[\w-]{4,}(?:\.[\w-]*){0,4}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\b(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|[sr]k_(?:live|test)_|AIza|npm_)[\w-]{8,}/g;
const LONG = /[A-Za-z0-9+/_-]{20,}={0,2}/g;

/**
 * Masks whatever looks like a credential, and the values of `own` in any encoding. Names stay, so that a person sees
 * what was there.
 */
export function maskCredentials(text: string, own: Iterable<string> = []): string {
  let masked = text;
  for (const value of own) {
    for (const spelling of spellingsOf(value)) masked = masked.replaceAll(spelling, MASK);
  }
  return masked
    .replace(PRIVATE_KEY, MASK)
    .replace(HEADER, `$1$2${MASK}`)
    .replace(NAMED, (_all, name: string, between: string, quote = "") => {
      return `${name}${between}${String(quote)}${MASK}${String(quote)}`;
    })
    .replace(ELEMENT, `$1${MASK}`)
    .replace(SCHEME, `$1$2${MASK}`)
    .replace(USER_INFO, `$1${MASK}@`)
    .replace(KNOWN, MASK)
    .replace(LONG, (token) => (isRandom(token) ? MASK : token));
}

/** Returns the credentials that an action itself sends, by the names at which they stand. */
export function credentialsOf(action: Action): string[] {
  const named = action.type === "http" ? action.headers : action.environment;
  const values = Object.entries(named).filter(([name]) => WHOLE_NAME.test(name));
  const texts = action.type === "http" ? [action.url, action.body ?? ""] : action.command;
  return [
    ...values.map(([, value]) => value),
    ...texts.flatMap((text) =>
      [...text.matchAll(NAMED)].map((match) => match[4] ?? match[6] ?? ""),
    ),
  ];
}

const WHOLE_NAME = new RegExp(`^(?:${NAME})$`, "i");

/** Recognizes a random text: letters of both cases and digits, mixed as in no word or path. */
function isRandom(token: string): boolean {
  const runs = token.match(/[a-z]+|[A-Z]+|\d+/g) ?? [];
  const digits = runs.filter((run) => /\d/.test(run)).length;
  const kinds = new Set(
    runs.map((run) =>
      run
        .replace(/[a-z]+/, "a")
        .replace(/[A-Z]+/, "A")
        .replace(/\d+/, "0"),
    ),
  );
  return kinds.size === 3 && runs.length > token.length / 4 && digits >= token.length / 12;
}

/** The shortest value that is masked; shorter ones would be found everywhere by accident. */
const LENGTH_MIN = 4;

/**
 * Returns the forms in which a value may be echoed: as it is, in JSON, in a URL or form, in hexadecimal, and within a
 * base64 text.
 */
function spellingsOf(value: string): Set<string> {
  const spellings = new Set<string>();
  // The X of "Bearer X" is masked alone, too.
  for (const part of [value, value.replace(/^\w+\s+/, "")]) {
    if (part.length < LENGTH_MIN) continue;
    const bytes = Buffer.from(part, "utf8");
    const percent = encodeURIComponent(part);
    const lower = percent.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
    const hex = bytes.toString("hex");
    for (const spelling of [
      part,
      JSON.stringify(part).slice(1, -1),
      percent,
      lower,
      percent.replaceAll("%20", "+"),
      hex,
      hex.toUpperCase(),
      ...base64Cores(bytes),
    ]) {
      if (spelling.length >= LENGTH_MIN) spellings.add(spelling);
    }
  }
  // The longest comes first, because a shorter one may be a part of it.
  return new Set([...spellings].toSorted((left, right) => right.length - left.length));
}

/**
 * Returns the characters of base64 that hold nothing but these bytes, for each place in a group of three at which
 * they may begin.
 */
function base64Cores(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const core = text.slice(
      Math.ceil((before * 4) / 3),
      Math.floor(((before + bytes.length) * 4) / 3),
    );
    return [core, core.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
