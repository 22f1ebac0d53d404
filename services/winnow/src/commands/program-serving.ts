import { Argument, type Command } from "commander";
import type { FakeOptions } from "./fake.ts";
import type { InitOptions } from "./init.ts";
import type { Register } from "./register.ts";
import type { UpOptions } from "./up.ts";

/** `up`, `init`, `fake`. */
export function addServingCommands(program: Command, register: Register): void {
  register<UpOptions>(
    program
      .command("up")
      .summary("run Winnow: everything in one process")
      .description("Runs everything in one process: receiver, correlator, router, API. Stop it with Ctrl-C.")
      .option("--config <file>", "configuration (./winnow.yaml if there)")
      .option("--data <dir>", "data directory (./data)")
      .option("--listen <host:port>", "where to listen (127.0.0.1:8080); port 0 picks a free one")
      .option("--demo", "with fake vendors to deliver to, and alerts that come by themselves")
      .option("--ready-file <file>", "written once ready: url, token, data_dir, pid, version as JSON"),
    async () => (await import("./up.ts")).up,
  );
  register<InitOptions>(
    program
      .command("init")
      .summary("write a commented configuration")
      .description(
        "Writes a commented configuration that works as it is, and the JSON Schema that editors check it with.",
      )
      .addArgument(new Argument("[file]", "where to").default("winnow.yaml"))
      .option("--force", "overwrite files that are there"),
    async () => (await import("./init.ts")).init,
  );
  register<FakeOptions>(
    program
      .command("fake")
      .summary("run a fake vendor to deliver to")
      .description(
        "Runs a stateful fake of a vendor. GET /__ledger shows what it did, POST /__faults {kind, count, delay_ms} makes " +
          "it misbehave.",
      )
      .argument("<name>", "servicenow, slack or webhook")
      .option("--listen <host:port>", "where to listen; port 0 picks a free one", "127.0.0.1:0")
      .option("--ledger <file>", "write every committed change there, as JSON lines"),
    async () => (await import("./fake.ts")).fake,
  );
}
