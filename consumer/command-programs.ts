/** A program that runs what an argument says: a script, or a file that holds one. */
export interface Interpreter {
  readonly kind: "interpreter";
  readonly names: RegExp;
  /** Short options after which a script comes: as the next argument, in a shell as the first operand. */
  readonly script: string;
  readonly longScript: readonly string[];
  /** Short options that take the next argument as their value. */
  readonly valued: string;
  /** Those of them whose value is data, never a part of the script. */
  readonly data: string;
  readonly isShell: boolean;
}

/** A program that runs another one, with the arguments that follow it. */
export interface Launcher {
  readonly kind: "launcher";
  readonly names: RegExp;
  readonly valued: string;
  /** Operands of its own before the program. */
  readonly operands: number;
}

/** A program that hands its arguments to a shell, here or on another host, or to a language of its own. */
export interface ShellCaller {
  readonly kind: "shell-caller";
  readonly names: RegExp;
  readonly valued: string;
  /** The first operand says where, such as a host or a database. */
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
    data: "v",
  }),
  interpreter(/^g?sed$/, { script: "ef", longScript: ["--expression", "--file"], valued: "l" }),
  interpreter(/^(?:Rscript|osascript|groovy|elixir|tclsh[\d.]*|expect|jshell|guile)$/, {
    script: "cef",
  }),
  interpreter(/^pwsh$/, { longScript: ["-c", "-Command", "-EncodedCommand", "-f", "-File"] }),
  // Its class path ("-cp", "-classpath") is the value of an option.
  interpreter(/^java$/, { longScript: ["-jar", "-m", "--module"], valued: "ph" }),
];

const LAUNCHERS: readonly Launcher[] = [
  launcher(/^env$/, "uCP"),
  launcher(/^(?:sudo|doas)$/, "ugpaCDRThrtU"),
  launcher(/^(?:nohup|setsid|unshare|setpriv|busybox|toybox|catchsegv|command|exec)$/, ""),
  launcher(/^g?nice$/, "n"),
  launcher(/^ionice$/, "cnpPu"),
  launcher(/^g?timeout$/, "ks", 1),
  launcher(/^g?stdbuf$/, "ioe"),
  launcher(/^time$/, "of"),
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
  // What follows their first word ("run", "exec", "eval") names a script.
  launcher(/^(?:npm|pnpm|bun|deno|go|cargo|uv|poetry|pipx|bundle)$/, "", 1),
];

const SHELL_CALLERS: readonly ShellCaller[] = [
  {
    kind: "shell-caller",
    names: /^(?:ssh|rsh|autossh|mosh|dbclient)$/,
    valued: "BbcDEeFIiJLlmOoPpQRSWw",
    hasHost: true,
  },
  {
    kind: "shell-caller",
    names: /^(?:su|runuser|watch|parallel|script|at|batch|pdsh|clush|pssh|eval|socat)$/,
    valued: "",
    hasHost: false,
  },
  { kind: "shell-caller", names: /^(?:ansible|salt)$/, valued: "aefiImMtTu", hasHost: true },
  { kind: "shell-caller", names: /^sqlite3$/, valued: "", hasHost: true },
];

/** What is known of a program by the last part of its path; undefined for any other. */
export function knownProgram(path: string): Interpreter | Launcher | ShellCaller | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return [...INTERPRETERS, ...LAUNCHERS, ...SHELL_CALLERS].find(({ names }) => names.test(name));
}

/** Programs that run what follows `--` in a container. */
export function runsInContainer(command: readonly string[]): boolean {
  return (
    /(?:^|\/)(?:kubectl|oc|docker|podman|nerdctl|crictl|lxc)$/.test(command[0] ?? "") &&
    command.some((argument) => /^(?:exec|run|debug)$/.test(argument))
  );
}

function interpreter(
  names: RegExp,
  options: Partial<Omit<Interpreter, "kind" | "names">>,
): Interpreter {
  const { script = "", longScript = [], valued = "", data = "", isShell = false } = options;
  return { kind: "interpreter", names, script, longScript, valued, data, isShell };
}

function launcher(names: RegExp, valued: string, operands = 0): Launcher {
  return { kind: "launcher", names, valued, operands };
}
