import { isDataByOption, knownProgram, programInContainer } from "./command-programs.ts";
import type { Interpreter, Launcher, ShellCaller } from "./command-programs.ts";

/** An argument that must not hold a placeholder, and why. */
interface CommandFault {
  readonly index: number;
  readonly message: string;
}

/** The way in which the program that a command runs reads its arguments. */
interface CommandShape {
  /** Position of the `--` after which nothing is an option; that of none is past the end. */
  readonly separator: number;
  readonly fault: CommandFault | undefined;
}

const PLACEHOLDER = "{{";

/**
 * Finds in a command, still with its placeholders, an argument whose value would be run as a program, and where options
 * end for the program that is run at last, also through others ("env", "sudo", "kubectl exec").
 */
export function commandShape(command: readonly string[]): CommandShape {
  const judged = scriptOption(command) ?? judgeProgram(command, 0);
  if (typeof judged !== "number") return { separator: command.length, fault: judged };
  const found = command.indexOf("--", judged + 1);
  const separator = found < 0 ? command.length : found;
  const named = command.findIndex(
    (argument, index) => index < separator && /^-[^=]*\{\{/.test(argument),
  );
  return { separator, fault: named < 0 ? undefined : faultAt(named, NAMES_OPTION) };
}

const NAMES_OPTION = "in the name of an option: its value stands after --, or as in --name={{...}}";
const RUN = "here: its value would be run, or choose what is run. Values go by environment";
const RUN_BY_SHELL =
  "here: it is read as a script. Values go by environment, or as arguments of a script";

function faultAt(index: number, why: string): CommandFault {
  return { index, message: `must not hold a placeholder ${why}` };
}

/** Long options of many programs by which something comes that is run. */
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
    const why = `after ${option}, by which many programs take a script. Values go by environment`;
    return faultAt(index, why);
  }
  return undefined;
}

/** The position of what is run at last, behind which its own arguments stand; or the fault. */
function judgeProgram(command: readonly string[], at: number): number | CommandFault {
  const program = knownProgram(command[at] ?? "");
  if (program === undefined) return judgeOther(command, at);
  if (program.kind === "interpreter") return judgeInterpreter(command, at, program);
  if (program.kind === "launcher") return judgeLauncher(command, at, program);
  return judgeShellCaller(command, at, program);
}

/** A program that is not known may run another one: in a container, or told by its absolute path. */
function judgeOther(command: readonly string[], at: number): number | CommandFault {
  const inContainer = at === 0 ? programInContainer(command) : -1;
  if (command[inContainer]?.includes(PLACEHOLDER) === true) return faultAt(inContainer, RUN);
  if (inContainer >= 0) return judgeProgram(command, inContainer);
  const inner = command.findIndex(
    (argument, index) =>
      index > at && argument.startsWith("/") && knownProgram(argument) !== undefined,
  );
  return inner < 0 ? at : judgeProgram(command, inner);
}

/** Walks options and operands from the program on; `onOperand` says where to stop. */
interface Walk {
  readonly valued: string;
  /** The end, or undefined to go on. Not asked for an operand that may be the value of a long option before it. */
  readonly onOperand: (index: number, argument: string) => number | CommandFault | undefined;
  /** Called for an option; true when the next argument is its value. */
  readonly onOption?: (argument: string, index: number) => boolean;
  /** An option whose value may hold a placeholder. */
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

function judgeInterpreter(
  command: readonly string[],
  at: number,
  { script, longScript, valued, data, isShell }: Interpreter,
): number | CommandFault {
  /** The index of a script that an option gave. */
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

function judgeLauncher(
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
      return judgeProgram(command, index);
    },
  });
}

/** No `--` ends its options for whoever reads them at last. */
function judgeShellCaller(
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
