import type { Command } from "commander";
import type { Register } from "./register.ts";
import type { ReplayOptions } from "./replay.ts";

/** `rules check`, `config check`, `replay`. */
export function addCheckingCommands(program: Command, register: Register): void {
  const rules = program.command("rules").summary("check rules").description("Works on rules.");
  register(
    rules
      .command("check")
      .description("Checks rules, routes and priorities in files or folders, offline. Exit 3: only warnings.")
      .argument("[path...]", "YAML files or folders (./winnow.yaml)"),
    async () => (await import("./rules-check.ts")).checkRules,
  );
  const config = program.command("config").summary("check a configuration").description("Works on configurations.");
  register(
    config
      .command("check")
      .description("Checks a configuration with all that it includes, offline. Exit 3: only warnings.")
      .argument("[file]", "the configuration (./winnow.yaml)"),
    async () => (await import("./config-check.ts")).checkConfig,
  );
  register<ReplayOptions>(
    program
      .command("replay")
      .summary("rebuild the state from the log and compare")
      .description("Rebuilds the state from the log of a stopped Winnow and compares it with the stored one.")
      .option("--verify", "compare; exit 1 when they differ")
      .option("--data <dir>", "data directory", "data"),
    async () => (await import("./replay.ts")).replay,
  );
}
