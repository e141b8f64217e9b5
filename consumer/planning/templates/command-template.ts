import { isDataByOption, knownProgram, programInContainer } from "./command-programs.ts";
import type { Interpreter, Launcher, ShellCaller } from "./command-programs.ts";

/** An argument that must not hold a placeholder, and why. */
interface CommandFault {
  readonly index: number;
  readonly message: string;
}

/** The way in which the program that a command runs reads its arguments. */
interface CommandShape {
  /** The position of the `--` after which nothing is an option. It is past the end when there is none. */
  readonly separator: number;
  readonly fault: CommandFault | undefined;
}

const PLACEHOLDER = "{{";

/**
 * Inspects a command whose placeholders are not filled yet. Returns where the options end for the program that is run
 * in the end, also through others ("env", "sudo", "kubectl exec"), and any placeholder whose value would be run.
 */
export function commandShape(command: readonly string[]): CommandShape {
  const program = scriptOption(command) ?? findProgram(command, 0);
  if (typeof program !== "number") return { separator: command.length, fault: program };
  const found = command.indexOf("--", program + 1);
  const separator = found < 0 ? command.length : found;
  const named = command.findIndex(
    (argument, index) => index < separator && /^-[^=]*\{\{/.test(argument),
  );
  return { separator, fault: named < 0 ? undefined : faultAt(named, NAMES_OPTION) };
}

const NAMES_OPTION =
  "in the name of an option: put the value after --, or write it as --name={{...}}";
const RUN = "here: its value would be run, or would choose what is run. Pass values by environment";
const RUN_BY_SHELL =
  "here: it is read as a script. Pass values by environment, or as arguments of a script";

function faultAt(index: number, why: string): CommandFault {
  return { index, message: `must not hold a placeholder ${why}` };
}

/** Long options by which many programs take something that they run. */
const SCRIPT_NAMES =
  "(?:[a-z-]+-)?(?:eval|commands?|cmd|exec|execute|scripts?|shell|rsh|entrypoint)|extra-vars|" +
  "checkpoint-action|use-compress-program|rsync-path|upload-pack|receive-pack|post-renderer";
const SCRIPT_BEHIND = new RegExp(
  `^(?:-[ABNXaeilnpqstuwx]{0,2}[ce]|-[ce][eilux]{0,2}|--(?:${SCRIPT_NAMES})|-(?:exec|execdir|execute|ok|okdir))$`,
);
const SCRIPT_WITHIN = new RegExp(
  `^--(?:${SCRIPT_NAMES}|print)=|Command=|(?:^|=)commands=|"commands"\\s*:`,
);

function scriptOption(command: readonly string[]): CommandFault | undefined {
  for (const [index, argument] of command.entries()) {
    if (!argument.includes(PLACEHOLDER)) continue;
    if (SCRIPT_WITHIN.test(argument)) return faultAt(index, RUN);
    const option = command[index - 1] ?? "";
    if (!SCRIPT_BEHIND.test(option) || isDataByOption(command, index)) continue;
    const why = `after ${option}, by which many programs take a script. Pass values by environment`;
    return faultAt(index, why);
  }
  return undefined;
}

/** Returns the position of the program that is run in the end, which its own arguments follow, or a fault. */
function findProgram(command: readonly string[], at: number): number | CommandFault {
  const program = knownProgram(command[at] ?? "");
  if (program === undefined) return findInnerProgram(command, at);
  if (program.kind === "interpreter") return findScript(command, at, program);
  if (program.kind === "launcher") return findLaunched(command, at, program);
  return checkShellCaller(command, at, program);
}

/** Looks for a program that an unknown program runs: in a container, or named by its absolute path. */
function findInnerProgram(command: readonly string[], at: number): number | CommandFault {
  const inContainer = at === 0 ? programInContainer(command) : -1;
  if (command[inContainer]?.includes(PLACEHOLDER) === true) return faultAt(inContainer, RUN);
  if (inContainer >= 0) return findProgram(command, inContainer);
  const inner = command.findIndex(
    (argument, index) =>
      index > at && argument.startsWith("/") && knownProgram(argument) !== undefined,
  );
  return inner < 0 ? at : findProgram(command, inner);
}

/** The settings of a walk over the options and operands after a program. `onOperand` decides where it stops. */
interface Walk {
  readonly valued: string;
  /** Returns the end, or undefined to go on. Not called for what may be the value of the long option before it. */
  readonly onOperand: (index: number, argument: string) => number | CommandFault | undefined;
  /** Returns true for an option whose value is the next argument. */
  readonly onOption?: (argument: string, index: number) => boolean;
  /** Matches an option whose value may hold a placeholder. */
  readonly data?: RegExp | undefined;
}

function walk(command: readonly string[], at: number, walking: Walk): number | CommandFault {
  let optionsEnded = false;
  for (let index = at + 1; index < command.length; index += 1) {
    const argument = command[index] ?? "";
    if (!optionsEnded && argument === "--") {
      optionsEnded = true;
      continue;
    }
    if (!optionsEnded && /^[-+]./.test(argument)) {
      const isData = walking.data?.test(argument) === true;
      if (!isData && argument.includes(PLACEHOLDER)) return faultAt(index, RUN);
      const takesNext = isData
        ? argument.length === 2
        : walking.onOption?.(argument, index) === true || endsWithOneOf(argument, walking.valued);
      if (!takesNext) continue;
      index += 1;
      if (!isData && command[index]?.includes(PLACEHOLDER) === true) return faultAt(index, RUN);
      continue;
    }
    const before = command[index - 1] ?? "";
    const mayBeValue =
      !optionsEnded &&
      /^--[^=]+$/.test(before) &&
      !argument.includes("/") &&
      !argument.includes(PLACEHOLDER);
    if (mayBeValue && knownProgram(argument) === undefined) continue;
    const end = walking.onOperand(index, argument);
    if (end !== undefined) return end;
  }
  return at;
}

function endsWithOneOf(option: string, letters: string): boolean {
  return /^[-+][a-zA-Z]+$/.test(option) && letters.includes(option.at(-1) ?? " ");
}

function findScript(
  command: readonly string[],
  at: number,
  { script, longScript, valued, data, isShell }: Interpreter,
): number | CommandFault {
  /** The index of a script that follows an option. */
  let given: number | undefined;
  const end = walk(command, at, {
    valued,
    data,
    onOption: (option, index) => {
      const isScript = longScript.includes(option) || endsWithOneOf(option, script);
      // A shell takes its script from the first operand, wherever the option is.
      if (isShell && !longScript.includes(option)) return false;
      if (isScript) given = index + 1;
      return isScript;
    },
    onOperand: (index, argument) => {
      if (given !== undefined) return given;
      return argument.includes(PLACEHOLDER) ? faultAt(index, RUN) : index;
    },
  });
  return end === at ? (given ?? at) : end;
}

function findLaunched(
  command: readonly string[],
  at: number,
  { valued, operands, commandLine }: Launcher,
): number | CommandFault {
  let left = operands;
  let isCommandLine = false;
  return walk(command, at, {
    valued,
    onOption: (option) => {
      isCommandLine ||= commandLine?.test(option) === true;
      return false;
    },
    onOperand: (index, argument) => {
      if (argument.includes(PLACEHOLDER)) return faultAt(index, RUN);
      if (isCommandLine) return undefined;
      if (/^[A-Za-z_]\w*=/.test(argument)) return undefined;
      if (left > 0) {
        left -= 1;
        return undefined;
      }
      return findProgram(command, index);
    },
  });
}

/** Returns the end of the command, because no `--` ends the options for the shell that reads them in the end. */
function checkShellCaller(
  command: readonly string[],
  at: number,
  { valued, hasHost }: ShellCaller,
): number | CommandFault {
  let hostSeen = !hasHost;
  const end = walk(command, at, {
    valued,
    onOperand: (index, argument) => {
      if (hostSeen && argument.includes(PLACEHOLDER)) return faultAt(index, RUN_BY_SHELL);
      hostSeen = true;
      return undefined;
    },
  });
  return typeof end === "number" ? command.length : end;
}
