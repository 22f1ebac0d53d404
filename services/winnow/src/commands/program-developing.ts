import type { Command } from "commander";
import type { Register } from "./register.ts";

/** `dev services up`, `down`, `status`. */
export function addDevelopingCommands(program: Command, register: Register): void {
  const services = program
    .command("dev")
    .summary("servers for development")
    .description("Helps to develop Winnow itself.")
    .command("services")
    .summary("real Kafka, Redis and Postgres")
    .description("Runs real Kafka, Redis and Postgres, as `npm test` uses them.");
  register(
    services
      .command("up")
      .description(
        "Starts servers in the background: in Docker where an engine runs, else from packages in ~/.cache/winnow. " +
          "WINNOW_TEST_KAFKA, WINNOW_TEST_REDIS and WINNOW_TEST_POSTGRES name servers that are there.",
      )
      .argument("[kind...]", "kafka, redis, postgres (all)"),
    async () => (await import("./dev-services.ts")).devServicesUp,
  );
  register(
    services.command("down").description("Stops them and deletes their data."),
    async () => (await import("./dev-services.ts")).devServicesDown,
  );
  register(
    services.command("status").description("Says what runs. Exit 1: nothing does."),
    async () => (await import("./dev-services.ts")).devServicesStatus,
  );
}
