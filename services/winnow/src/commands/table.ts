import type { Style, Terminal } from "./terminal.ts";
import { clip, plain, textWidth } from "./words.ts";

/** One column; `cell` gives text as it came, the table makes it safe to show. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  readonly align?: "left" | "right";
  /** Shown by `-o wide` only. */
  readonly wide?: boolean;
  /** May be cut where the terminal is too narrow. */
  readonly flexible?: boolean;
  readonly style?: (row: Row) => Style | null;
}

export interface TableOptions {
  readonly wide?: boolean;
  /** Columns that stand before each line. */
  readonly indent?: number;
}

const gap = "  ";
/** A flexible column is not cut below this. */
const flexibleMin = 12;

/** Renders rows below aligned heads. On a terminal each line fits its width; elsewhere nothing is cut. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  terminal: Pick<Terminal, "paint" | "width">,
  options: TableOptions = {},
): string {
  const shown = columns.filter((column) => options.wide === true || column.wide !== true);
  const cells = rows.map((row) => shown.map((column) => plain(column.cell(row))));
  const natural = shown.map((column, index) =>
    cells.reduce((width, line) => Math.max(width, textWidth(line[index] ?? "")), textWidth(column.head)),
  );
  const limit = terminal.width === null ? null : terminal.width - (options.indent ?? 0);
  const widths = options.wide === true ? natural : fit(shown, natural, limit);
  const line = (texts: readonly string[], styleOf: (index: number) => Style | null): string => {
    const parts = texts.map((text, index) => {
      const width = widths[index] ?? 0;
      const cut = clip(text, width);
      const fill = " ".repeat(width - textWidth(cut));
      const style = styleOf(index);
      const painted = style === null ? cut : terminal.paint(style, cut);
      if (shown[index]?.align === "right") return fill + painted;
      return index === texts.length - 1 ? painted : painted + fill;
    });
    return `${" ".repeat(options.indent ?? 0)}${parts.join(gap)}`.trimEnd();
  };
  const heads = line(
    shown.map((column) => column.head),
    () => "dim",
  );
  const body = rows.map((row, at) => line(cells[at] ?? [], (index) => shown[index]?.style?.(row) ?? null));
  return `${[heads, ...body].join("\n")}\n`;
}

/** Takes what is too much from the flexible columns, the widest first. */
function fit<Row>(columns: readonly Column<Row>[], natural: readonly number[], limit: number | null): number[] {
  const widths = [...natural];
  if (limit === null) return widths;
  let over = widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1)) - limit;
  while (over > 0) {
    const widest = columns
      .map((column, index) => ({ index, width: column.flexible === true ? (widths[index] ?? 0) : 0 }))
      .reduce((left, right) => (right.width > left.width ? right : left));
    if (widest.width <= flexibleMin) break;
    widths[widest.index] = widest.width - 1;
    over -= 1;
  }
  return widths;
}
