import { type ChildProcess, spawn } from "node:child_process";
import { childEnvironment, cliFile } from "./run-cli.ts";

export interface RunningOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of the command itself: what to run, as with the launcher. */
  readonly program?: readonly string[];
}

/** A command that goes on running, with what it has said so far. */
export class Running {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly #looks = new Set<() => void>();

  constructor(args: readonly string[], options: RunningOptions) {
    const [program = process.execPath, ...rest] = options.program ?? [process.execPath, cliFile];
    this.child = spawn(program, [...rest, ...args], {
      cwd: options.cwd,
      env: childEnvironment(options.env),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#look();
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#look();
    });
    const { promise, resolve } = Promise.withResolvers<number | NodeJS.Signals | null>();
    this.ended = promise;
    this.child.on("close", (code, signal) => {
      resolve(code ?? signal);
      this.#look();
    });
  }

  /** Resolves as soon as what it has said fits; rejects when it ends before. */
  async until(stream: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = (): void => {
      const found = pattern.exec(this[stream]);
      if (found !== null) resolve(found);
      else if (this.child.exitCode !== null) reject(new Error(`ended: ${this.stdout}\n${this.stderr}`));
    };
    this.#looks.add(look);
    look();
    try {
      return await promise;
    } finally {
      this.#looks.delete(look);
    }
  }

  /** Ends it whatever it does; harmless when it has ended. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  #look(): void {
    for (const look of this.#looks) look();
  }
}
