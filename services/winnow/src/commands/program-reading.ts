import type { Command } from "commander";
import type { ExplainOptions } from "./explain.ts";
import type { GetOptions } from "./get.ts";
import type { StoryOptions } from "./incident.ts";
import { limit, oneOf } from "./option-values.ts";
import type { Register } from "./register.ts";
import { alertStatuses, deadLetterStates, deliveryStates, incidentStates, priorities } from "./vocabulary.ts";

/** `get …`, `incident`, `explain`, `doctor`. */
export function addReadingCommands(program: Command, register: Register): void {
  addGet(
    program.command("get").description("Lists things.").summary("list incidents, alerts, deliveries, dead letters"),
    register,
  );
  register<StoryOptions>(
    program
      .command("incident")
      .summary("tell one incident's story")
      .description("Tells one incident's story: priority and why, tickets, alerts, timeline with reasons.")
      .argument("<id>", "id or number")
      .option("--all", "every alert and timeline row, however many"),
    async () => (await import("./incident.ts")).incident,
  );
  register<ExplainOptions>(
    program
      .command("explain")
      .summary("say which rule takes an alert, and why no other")
      .description(
        "Says which rule takes an alert, and why each rule before it does not. Takes the fingerprint of a known alert, " +
          "or a file (- for stdin) with an event of winnow.alert/1 or, with --integration, a body as the tool sends it.",
      )
      .argument("<what>", "fingerprint, file, or -")
      .option("--integration <name>", "read the file as this integration would")
      .option("--content-type <type>", "of the file (application/json, or a form where it looks like one)"),
    async () => (await import("./explain.ts")).explain,
  );
  register(
    program
      .command("doctor")
      .summary("look for what is wrong")
      .description("Checks a Winnow and says how to mend what is wrong."),
    async () => (await import("./doctor.ts")).doctor,
  );
}

function addGet(get: Command, register: Register): void {
  const list = (name: string, summary: string): Command =>
    get
      .command(name)
      .description(summary)
      .option("--limit <n>", "at most so many", limit)
      .option("--cursor <cursor>", "go on where a page ended")
      .option("--all", "all pages");
  register<GetOptions>(
    list("incidents", "Lists incidents, newest first.")
      .alias("incident")
      .option("--state <list>", incidentStates.join(", "), oneOf(incidentStates))
      .option("--priority <list>", "P1 to P5", (text: string) => oneOf(priorities)(text.toUpperCase()))
      .option("--q <words>", "words in title, service, group key or number"),
    async () => (await import("./get.ts")).getIncidents,
  );
  register<GetOptions>(
    list("alerts", "Lists alerts.")
      .alias("alert")
      .option("--status <status>", "firing or resolved", oneOf(alertStatuses))
      .option("--integration <name>", "only of this integration"),
    async () => (await import("./get.ts")).getAlerts,
  );
  register<GetOptions>(
    list("deliveries", "Lists deliveries: what each destination shows of each incident.")
      .alias("delivery")
      .option("--state <list>", deliveryStates.join(", "), oneOf(deliveryStates))
      .option("--destination <name>", "only to this destination"),
    async () => (await import("./get.ts")).getDeliveries,
  );
  register<GetOptions>(
    list("dead-letters", "Lists dead letters: what could not be read or decided.")
      .alias("dead-letter")
      .option("--state <list>", deadLetterStates.join(", "), oneOf(deadLetterStates)),
    async () => (await import("./get.ts")).getDeadLetters,
  );
}
