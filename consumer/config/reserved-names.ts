/**
 * Headers that an action cannot set. The client sets, refuses or changes them, or they describe the connection instead
 * of the request, or they would carry a secret. The identity is presented by mTLS, and the key has a header of its own.
 */
const HEADERS = new Set([
  "authorization",
  "connection",
  "content-encoding",
  "content-length",
  "cookie",
  "expect",
  "host",
  "http2-settings",
  "idempotency-key",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "traceparent",
  "tracestate",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return HEADERS.has(lower) || lower.startsWith("sec-fetch-");
}

/**
 * Variables that an action cannot set. The consumer sets the first three, and TRACESTATE belongs to the third. The
 * others make a shell, an interpreter or a tool run other code.
 */
const VARIABLES = new Set(
  (
    "PATH IDEMPOTENCY_KEY TRACEPARENT TRACESTATE " +
    "ENV IFS SHELL SHELLOPTS BASHOPTS PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND CDPATH GLOBIGNORE ZDOTDIR FPATH " +
    "EDITOR VISUAL PAGER MANPAGER BROWSER LESSOPEN LESSCLOSE SSH_ASKPASS SUDO_ASKPASS MAKEFLAGS GREP_OPTIONS " +
    "CLASSPATH AWKPATH AWKLIBPATH TCLLIBPATH PHPRC PHP_INI_SCAN_DIR R_PROFILE R_ENVIRON ERL_FLAGS " +
    "OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES SSLKEYLOGFILE " +
    "HOSTALIASES LOCALDOMAIN RES_OPTIONS RESOLV_HOST_CONF NLSPATH LOCPATH GETCONF_DIR TERMINFO TERMCAP"
  ).split(" "),
);
/** The prefixes of the variables of the loader, shells, interpreters and git, each of which has too many to list. */
const VARIABLE_PREFIXES =
  /^(?:LD_|DYLD_|GCONV_|GLIBC_|MALLOC_|BASH_|NODE_|NPM_CONFIG_|PYTHON|PERL|RUBY|GEM_|BUNDLE_|LUA_|_?JAVA_|JDK_|DOTNET_|GIT_)/;

/** Matches variables with one of these prefixes that cannot make a program run other code. */
const HARMLESS_VARIABLES =
  /^(?:NODE_(?:ENV|NAME|ID|IP|HOST|POOL|ROLE)|PYTHON(?:UNBUFFERED|IOENCODING|UTF8|DONTWRITEBYTECODE)|GIT_(?:BRANCH|COMMIT|TAG))$/;

/** Returns true for a variable that could make a command run other code, or that the consumer sets itself. */
export function isReservedVariable(name: string): boolean {
  const upper = name.toUpperCase();
  if (HARMLESS_VARIABLES.test(upper)) return false;
  return VARIABLES.has(upper) || VARIABLE_PREFIXES.test(upper);
}
