// Stack traces that name the developer's files. The build leaves a table of the bundle's lines behind the bundle.

/** One entry per line of the bundle: [index of the source, line], or 0 where the line has no source. */
interface LineTable {
  sources: string[];
  lines: (0 | [number, number])[];
}

/** The bundle as QuickJS and as StarlingMonkey name it in a stack. */
const FRAME = /(?:componentize-qjs:user|santokit-bundle)\.js:(\d+):(\d+)/g;

/** The error's stack in terms of the source files. */
export function sourceStack(error: Error): string {
  const table = (globalThis as { santokitLines?: LineTable }).santokitLines;
  const stack = (error.stack ?? "").trim();
  if (table === undefined) return stack;
  return stack.replace(FRAME, (frame, line: string) => {
    const place = table.lines[Number(line) - 1];
    return place ? `${table.sources[place[0]]}:${place[1]}` : frame;
  });
}
