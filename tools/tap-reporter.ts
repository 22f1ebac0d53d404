/**
 * tap's reporter for this repository: one line for a file that passed, the whole report without its passed assertions
 * for one that failed, then the failures, the skipped tests, and on the very last line the tally alone.
 * `npx tap --reporter=tap FILE` shows everything.
 */
import { Transform, type TransformCallback } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { formatTally, type Tally } from "./tally.ts";

const INDENT = 4;
const RESULT = /^( *)(not )?ok \d+(?: - (.*))?$/;
const DIRECTIVE = /^(.*?)(?: # (SKIP|TODO)\b ?(.*)| # time=.*)?$/i;

interface OpenSubtest {
  readonly title: string;
  readonly failuresBefore: number;
}

/** The default export is tap's contract for a reporter. */
export default class TapReporter extends Transform {
  readonly #decoder = new StringDecoder("utf8");
  readonly #failed: string[] = [];
  readonly #skipped: string[] = [];
  /** Titles of the subtests around the current line; the first is the file. */
  #open: OpenSubtest[] = [];
  #fileReport: string[] = [];
  #isAfterFailedFile = false;
  #rest = "";
  #tally: Tally | undefined;

  override _transform(chunk: Buffer | string, _encoding: BufferEncoding, done: TransformCallback): void {
    const text = this.#rest + (typeof chunk === "string" ? chunk : this.#decoder.write(chunk));
    const lines = text.split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      this.#readLine(line);
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    this.#readLine(this.#rest + this.#decoder.end());
    // Whatever still waits belongs to a file that never reported its end.
    this.#print(this.#fileReport);
    this.#printList("FAILED", this.#failed);
    this.#printList("SKIPPED", this.#skipped);
    this.#print([formatTally(this.#finalTally())]);
    done();
  }

  #readLine(line: string): void {
    const result = RESULT.exec(line);
    if (result !== null) {
      this.#readResult(line, result);
      return;
    }
    const subtest = /^( *)# Subtest: (.*)$/.exec(line);
    if (subtest !== null) {
      this.#open = this.#open.slice(0, depthOf(subtest[1] ?? ""));
      this.#open.push({ title: subtest[2] ?? "", failuresBefore: this.#failed.length });
      this.#isAfterFailedFile = false;
    }
    const totals = /^# \{ total: .* \}$/.test(line);
    if (totals) {
      this.#tally = readTotals(line);
    }
    if (this.#isAfterFailedFile) {
      this.#print([line]);
    } else if (this.#open.length > 0) {
      this.#fileReport.push(line);
    }
  }

  #readResult(line: string, result: RegExpExecArray): void {
    const isFailed = result[2] !== undefined;
    const depth = depthOf(result[1] ?? "");
    const [, title = "", directive, reason = ""] = DIRECTIVE.exec(result[3] ?? "") ?? [];
    const closed = this.#open.length > depth ? this.#open[depth] : undefined;
    const path = [...this.#open.slice(0, depth).map((subtest) => subtest.title), title].join(" > ");
    this.#open = this.#open.slice(0, depth);
    if (directive !== undefined) {
      this.#skipped.push(reason === "" ? path : `${path} (${reason})`);
    } else if (isFailed && !(closed?.title === title && this.#failed.length > closed.failuresBefore)) {
      this.#failed.push(path);
    }
    if (depth > 0) {
      if (isFailed) {
        this.#fileReport.push(line);
      }
      return;
    }
    this.#print(isFailed ? [...this.#fileReport, line] : [line]);
    this.#fileReport = [];
    this.#isAfterFailedFile = isFailed;
  }

  /** tap's totals miss a process that died after its last assertion had passed; the list of failures has it. */
  #finalTally(): Tally {
    const tally = this.#tally ?? { passed: 0, failed: 1, skipped: 0 };
    return { ...tally, failed: Math.max(tally.failed, this.#failed.length) };
  }

  #printList(heading: string, rows: readonly string[]): void {
    if (rows.length > 0) {
      this.#print(["", `==== ${heading}: ${rows.length} ====`, ...rows.map((row) => `  ${row}`), ""]);
    }
  }

  #print(lines: readonly string[]): void {
    for (const line of lines) {
      this.push(`${line}\n`);
    }
  }
}

function depthOf(indent: string): number {
  return Math.floor(indent.length / INDENT);
}

/** tap counts assertions. What is still to do counts as skipped: nobody has seen it pass. */
function readTotals(line: string): Tally {
  const count = (name: string): number => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0);
  return { passed: count("pass"), failed: count("fail"), skipped: count("skip") + count("todo") };
}
