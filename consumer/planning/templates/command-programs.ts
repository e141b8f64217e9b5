/** A program that runs a script, which an argument holds or names as a file. */
export interface Interpreter {
  readonly kind: "interpreter";
  readonly names: RegExp;
  /** Short options that are followed by a script: the next argument, or in a shell the first operand. */
  readonly script: string;
  readonly longScript: readonly string[];
  /** Short options that take the next argument as their value. */
  readonly valued: string;
  /** Matches an option whose value, its rest or the next argument, is data and never a part of the script. */
  readonly data: RegExp | undefined;
  readonly isShell: boolean;
}

/** A program that runs another one, with the arguments that follow it. */
export interface Launcher {
  readonly kind: "launcher";
  readonly names: RegExp;
  readonly valued: string;
  /** The number of its own operands, which stand before the program. */
  readonly operands: number;
  /** Matches an option that holds the beginning of a command line, to which the operands are added. */
  readonly commandLine: RegExp | undefined;
}

/** A program that passes its arguments to a shell, on this host or another, or to a language of its own. */
export interface ShellCaller {
  readonly kind: "shell-caller";
  readonly names: RegExp;
  readonly valued: string;
  /** True when the first operand names a place, such as a host or a database. */
  readonly hasHost: boolean;
}

const INTERPRETERS: readonly Interpreter[] = [
  interpreter(/^(?:r?ba|da|a|z|k|mk|pdk|c|tc|fi)?sh$/, {
    script: "c",
    longScript: ["--command"],
    valued: "oO",
    isShell: true,
  }),
  interpreter(/^(?:python|pypy)[\d.]*$/, { script: "cm", valued: "WX" }),
  interpreter(/^perl[\d.]*$/, { script: "eE", valued: "I" }),
  interpreter(/^j?ruby[\d.]*$/, { script: "e", valued: "IrCEK" }),
  interpreter(/^(?:node|nodejs|tsx|ts-node)[\d.]*$/, {
    script: "ep",
    longScript: ["--eval", "--print"],
    valued: "rC",
  }),
  interpreter(/^php[\d.]*$/, { script: "rBREfF", valued: "dczt" }),
  interpreter(/^(?:lua|luajit)[\d.]*$/, { script: "e", valued: "l" }),
  interpreter(/^[gmn]?awk$/, {
    script: "ef",
    longScript: ["--source", "--file"],
    valued: "F",
    data: /^-v(?:$|[A-Za-z_]\w*=)/,
  }),
  interpreter(/^g?sed$/, { script: "ef", longScript: ["--expression", "--file"], valued: "l" }),
  interpreter(/^(?:Rscript|osascript|groovy|elixir|tclsh[\d.]*|expect|jshell|guile)$/, {
    script: "cef",
  }),
  interpreter(/^(?:pwsh|powershell)(?:\.exe)?$/, {
    longScript: ["-c", "-Command", "-EncodedCommand", "-f", "-File"],
  }),
  // The class path of Java ("-cp", "-classpath") is the value of an option.
  interpreter(/^java$/, {
    longScript: ["-jar", "-m", "--module"],
    valued: "ph",
    data: /^-D[\w.]+=/,
  }),
];

const LAUNCHERS: readonly Launcher[] = [
  launcher(/^env$/, "uCP", 0, /^-[a-zA-Z0]*S|^--split-string/),
  launcher(/^(?:sudo|doas)$/, "ugpaCDRThrtU"),
  launcher(/^(?:nohup|setsid|unshare|setpriv|busybox|toybox|catchsegv|fakeroot)$/, ""),
  launcher(/^g?nice$/, "n"),
  launcher(/^ionice$/, "cnpPu"),
  launcher(/^g?timeout$/, "ks", 1),
  launcher(/^g?stdbuf$/, "ioe"),
  launcher(/^time$/, "of"),
  launcher(/^(?:taskset|chrt)$/, "", 1),
  launcher(/^numactl$/, "NmCip"),
  launcher(/^cgexec$/, "g"),
  launcher(/^sshpass$/, "pfdP"),
  launcher(/^ssh-agent$/, "aEtO"),
  launcher(/^(?:xargs|gxargs)$/, "aEdLnPsI"),
  launcher(/^flock$/, "wE", 1),
  launcher(/^g?chroot$/, "", 1),
  launcher(/^(?:gosu|su-exec|setuidgid)$/, "", 1),
  launcher(/^nsenter$/, "tSG"),
  launcher(/^(?:strace|ltrace)$/, "oepPsEuUaObIXn"),
  launcher(/^(?:tini|dumb-init|catatonit)$/, "epr"),
  launcher(/^(?:systemd-run|systemd-cat|systemd-inhibit)$/, "pEtHMu"),
  launcher(/^chpst$/, "uUbnemdopfrc"),
  launcher(/^(?:npx|bunx)$/, "p"),
  // The word after the first operand of these ("run", "exec", "eval") names a script.
  launcher(/^(?:npm|pnpm|bun|deno|go|cargo|uv|poetry|pipx|bundle)$/, "", 1),
];

const SHELL_CALLERS: readonly ShellCaller[] = [
  {
    kind: "shell-caller",
    names: /^(?:ssh|rsh|autossh|mosh|dbclient|plink)$/,
    valued: "BbcDEeFIiJLlmOoPpQRSWw",
    hasHost: true,
  },
  {
    kind: "shell-caller",
    names:
      /^(?:su|sg|runuser|watch|parallel|script|at|batch|pdsh|clush|pssh|salt-call|socat|tmux|screen)$/,
    valued: "",
    hasHost: false,
  },
  {
    kind: "shell-caller",
    names: /^(?:ansible|salt|salt-ssh)$/,
    valued: "aefiImMtTu",
    hasHost: true,
  },
  { kind: "shell-caller", names: /^sqlite3$/, valued: "", hasHost: true },
];

/** Returns how a program treats its arguments, by the last part of its path, or undefined for an unknown program. */
export function knownProgram(path: string): Interpreter | Launcher | ShellCaller | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return [...INTERPRETERS, ...LAUNCHERS, ...SHELL_CALLERS].find(({ names }) => names.test(name));
}

const RUNS_IN_CONTAINER = /^(?:exec|run|debug)$/;

/** Returns the position of the program that a command runs in a container, or -1 when it has none or is unknown. */
export function programInContainer(command: readonly string[]): number {
  const tool = command[0] ?? "";
  const start = command.findIndex((argument) => RUNS_IN_CONTAINER.test(argument));
  if (start < 0) return -1;
  if (/(?:^|\/)(?:kubectl|oc|lxc)$/.test(tool)) {
    const separator = command.indexOf("--", start);
    if (separator >= 0) return separator + 1;
  } else if (!CONTAINERS_BY_NAME.test(tool)) return -1;
  return command.findIndex(
    (argument, index) => index > start && knownProgram(argument) !== undefined,
  );
}

const CONTAINERS_BY_NAME = /(?:^|\/)(?:docker|podman|nerdctl|crictl)(?:-compose)?$/;
const DATA_BY_C_AND_E = /(?:^|\/)(?:[efz]?grep|echo|mailx?|amtool)$/;

/** Returns true for an argument after `-c` or `-e` that the program takes as data, such as the name of a container. */
export function isDataByOption(command: readonly string[], index: number): boolean {
  const [tool = ""] = command;
  if (DATA_BY_C_AND_E.test(tool)) return true;
  const inner = programInContainer(command);
  if (inner >= 0 && index >= inner) return false;
  const option = command[index - 1];
  if (CONTAINERS_BY_NAME.test(tool)) {
    return option === "-e" && /^[A-Za-z_]\w*=/.test(command[index] ?? "");
  }
  const isNamed = inner >= 0 || !command.some((argument) => RUNS_IN_CONTAINER.test(argument));
  return /(?:^|\/)(?:kubectl|oc)$/.test(tool) && option === "-c" && isNamed;
}

function interpreter(
  names: RegExp,
  options: Partial<Omit<Interpreter, "kind" | "names">>,
): Interpreter {
  const { script = "", longScript = [], valued = "", data, isShell = false } = options;
  return { kind: "interpreter", names, script, longScript, valued, data, isShell };
}

function launcher(names: RegExp, valued: string, operands = 0, commandLine?: RegExp): Launcher {
  return { kind: "launcher", names, valued, operands, commandLine };
}
