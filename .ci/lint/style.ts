/**
 * The style rules of this repository that oxlint does not have, as a plugin of it. `.oxlintrc.json` switches them on.
 * `style.test.ts` proves each of them on text that breaks it.
 */

interface Location {
  start: { line: number; column: number };
  end: { line: number; column: number };
}

interface Comment {
  type: string;
  value: string;
  range: [number, number];
  loc: Location;
}

/** The part of the ESLint rule API that these rules use; oxlint implements it. */
interface RuleContext {
  filename: string;
  sourceCode: { text: string; lines: string[]; getAllComments(): Comment[] };
  report(problem: { message: string; loc: Location }): void;
}

/** A comment that begins with one of these words has no subject: its sentence begins in the reader's head. */
const HEADLESS = /^(?:Of|What|Who|Whose|Whom|Whether|From|By|For|With|Without|Than|Under)\b(?!-)/;

const LINE_LENGTH_MAX = 120;

const headlessComment = {
  create: (context: RuleContext) => ({
    Program() {
      const { text } = context.sourceCode;
      let lastLine = { line: 0, column: -1 };
      for (const comment of context.sourceCode.getAllComments()) {
        const { start } = comment.loc;
        const isContinued =
          comment.type === "Line" &&
          start.line === lastLine.line + 1 &&
          start.column === lastLine.column &&
          standsAlone(text, comment);
        if (comment.type === "Line" && standsAlone(text, comment)) lastLine = start;
        if (isContinued) continue;
        const word = HEADLESS.exec(comment.value.replace(/^[\s*]*/, ""))?.[0];
        if (word !== undefined) {
          context.report({
            message: `This comment begins with "${word}". Write a whole sentence: a subject, then a verb.`,
            loc: comment.loc,
          });
        }
      }
    },
  }),
};

/** True when nothing but white space precedes the comment in its line. */
function standsAlone(text: string, comment: Comment): boolean {
  const lineStart = text.lastIndexOf("\n", comment.range[0] - 1) + 1;
  return text.slice(lineStart, comment.range[0]).trim() === "";
}

const lineLength = {
  create: (context: RuleContext) => ({
    Program() {
      for (const [index, line] of context.sourceCode.lines.entries()) {
        if (line.length <= LINE_LENGTH_MAX || isExempt(line)) continue;
        const number = index + 1;
        context.report({
          message: `This line has ${line.length} characters; the limit is ${LINE_LENGTH_MAX}.`,
          loc: {
            start: { line: number, column: LINE_LENGTH_MAX },
            end: { line: number, column: line.length },
          },
        });
      }
    },
  }),
};

/** True for a line that cannot be broken: a regular expression, an import, or a comment that is a single address. */
function isExempt(line: string): boolean {
  return (
    /^\s*(?:String\.raw`|\/(?![/*]).*\/[a-z]*[;,.)]*)/.test(line) ||
    /^(?:import|export) .* from "/.test(line) ||
    /^\s*(?:\/\/|\*)\s*\S*https?:\S+$/.test(line)
  );
}

export default {
  meta: { name: "style" },
  rules: { "headless-comment": headlessComment, "line-length": lineLength },
};
