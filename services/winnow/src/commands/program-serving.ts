import { Argument, type Command } from "commander";
import { type Role, roles } from "../assembly/roles.ts";
import type { FakeOptions } from "./fake.ts";
import type { InitOptions } from "./init.ts";
import type { MigrateOptions } from "./migrate.ts";
import type { Register } from "./register.ts";
import type { UpOptions } from "./up.ts";

const nodes = {
  receiver: "takes alerts, keeps them on its own disk and ships them to Kafka",
  correlator: "folds alerts into incidents",
  router: "records incidents and brings tickets up to date",
} as const satisfies Record<Role, string>;

function withPlaces(command: Command): Command {
  return command
    .option("--config <file>", "configuration (./winnow.yaml if there)")
    .option("--data <dir>", "data directory (./data)")
    .option("--listen <host:port>", "where to listen (127.0.0.1:8080); port 0 picks a free one")
    .option("--log <url>", "kafka://HOST:PORT,…; files in the data directory where it is absent")
    .option("--windows <url>", "redis://HOST:PORT; a file in the data directory where it is absent")
    .option("--store <url>", "postgres://USER@HOST/DATABASE; a file in the data directory where it is absent")
    .option("--ready-file <file>", "written once ready: url, token, data_dir, pid, version as JSON");
}

/** `up`, `receiver`, `correlator`, `router`, `migrate`, `init`, `fake`. */
export function addServingCommands(program: Command, register: Register): void {
  register<UpOptions>(
    withPlaces(program.command("up"))
      .summary("run Winnow: everything in one process")
      .description("Runs everything in one process: receiver, correlator, router, API. Stop it with Ctrl-C.")
      .option("--demo", "with fake vendors to deliver to, and alerts that come by themselves"),
    async () => (await import("./up.ts")).up,
  );
  for (const role of roles) {
    register<UpOptions>(
      withPlaces(program.command(role))
        .summary(`run a ${role} of a cluster`)
        .description(`A node of a cluster over Kafka, Redis and Postgres: ${nodes[role]}. Start as many as you need.`),
      async () => (await import("./up.ts")).node(role),
    );
  }
  register<MigrateOptions>(
    program
      .command("migrate")
      .summary("make or mend topics and tables")
      .description(
        "Makes the topics in Kafka and the tables in Postgres, or mends them. Doing it again changes nothing.",
      )
      .option("--config <file>", "configuration (./winnow.yaml if there)")
      .option("--log <url>", "kafka://HOST:PORT,…")
      .option("--windows <url>", "redis://HOST:PORT")
      .option("--store <url>", "postgres://USER@HOST/DATABASE"),
    async () => (await import("./migrate.ts")).migrate,
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
