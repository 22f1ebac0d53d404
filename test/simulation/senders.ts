import type { ActionRecord, DeadLetterAction, LogValue } from "@winnow/contracts";
import { partitionOf } from "@winnow/core";
import { hasCode } from "@winnow/platform";
import type { Placement, ReceivedItem } from "@winnow/testkit";
import type { Cluster, Role } from "./cluster.ts";
import { type Activation, type PlannedAction, partitions } from "./scenario.ts";

const replyMs = 4_000;
const againMs = [300, 2_500] as const;
const repairMs = 3_000;

/** A record that was acknowledged: it has to be in the log. */
export interface Acknowledged extends Placement {
  readonly atMs: number;
}

/** Everybody outside: the senders of alerts, and the office from which people act and rules are put in force. */
export class Outside {
  readonly acknowledged: Acknowledged[] = [];
  /** Probability that an acknowledgement does not reach the sender. */
  ackLoss = 0;
  readonly #cluster: Cluster;
  #waiting = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Things to do that are not done yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Sends it until it is acknowledged. */
  send(items: readonly ReceivedItem[]): void {
    this.#waiting += 1;
    void this.#untilAcknowledged(items);
  }

  async #untilAcknowledged(items: readonly ReceivedItem[]): Promise<void> {
    const { random, counts, time } = this.#cluster;
    for (;;) {
      const roles = this.#cluster.rolesOf("receiver");
      const role = roles[random.between(0, roles.length - 1)];
      const placed = await this.#attempt(role, items);
      if (placed !== null) {
        for (const item of items) this.#cluster.delivered[item.integration] = time.now;
        for (const placement of placed) this.acknowledged.push({ ...placement, atMs: time.now });
        if (!random.chance(this.ackLoss)) break;
        counts.add("ack_lost");
      }
      await this.#sleep(random.between(...againMs));
    }
    this.#waiting -= 1;
  }

  #attempt(role: Role | undefined, items: readonly ReceivedItem[]): Promise<readonly Placement[] | null> {
    const receiver = role?.receiver ?? null;
    if (receiver === null) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = this.#cluster.time.after(replyMs, () => {
        resolve(null);
      });
      void receiver.take(items).then((placed) => {
        timer.cancel();
        resolve(placed);
      });
    });
  }

  /** A person acts on some incident; their client repeats the request, with its key, until the record is durable. */
  act(action: PlannedAction): void {
    this.#waiting += 1;
    void this.#act(action);
  }

  async #act(planned: PlannedAction): Promise<void> {
    const item = this.#itemOf(planned);
    if (item !== null) {
      const key = item.type === "action" ? this.#scopeOf(item.incident_id) : item.id;
      const value = { kind: "actions" as const, at_ms: item.at_ms, items: [item] };
      await this.#append(partitionOf(key, partitions), value);
    }
    this.#waiting -= 1;
  }

  /** The record of an action, on some incident or dead letter that exists by now; null while there is none. */
  #itemOf({ id, action, pick }: PlannedAction): ActionRecord | DeadLetterAction | null {
    const { incidents, time } = this.#cluster;
    const at = { actor: "person", at_ms: time.now };
    if (action === "retry" || action === "discard") {
      const letter = someOf([...incidents.deadLetters.keys()], pick);
      return letter === undefined ? null : { type: "dead_letter_action", id: letter, action, ...at };
    }
    const incident = someOf([...incidents.incidents.keys()], pick);
    if (incident === undefined) return null;
    const text = action === "note" ? `note ${id}` : "";
    return { type: "action", action_id: id, incident_id: incident, action, text, ...at };
  }

  #scopeOf(incidentId: string): string {
    return this.#cluster.incidents.incidents.get(incidentId)?.snapshot.scope ?? "";
  }

  /** Puts rules in force: stored, made the newest generation, then in every partition until all have it. */
  activate(activation: Activation): void {
    this.#waiting += 1;
    void this.#activate(activation);
  }

  async #activate({ set }: Activation): Promise<void> {
    const { incidents, windows, time } = this.#cluster;
    incidents.ruleSets.set(set.digest, { digest: set.digest, text: "", stored_ms: time.now });
    const activation = incidents.activate(set.digest);
    for (;;) {
      let missing = 0;
      for (let partition = 0; partition < partitions; partition += 1) {
        const reached = windows.meta({ stage: "B", partition })?.rule_generation ?? 0;
        if (reached >= activation.generation) continue;
        missing += 1;
        await this.#append(partition, { kind: "rules", at_ms: time.now, ...activation });
      }
      if (missing === 0) break;
      await this.#sleep(repairMs);
    }
    this.#waiting -= 1;
  }

  /** Appends through whatever process fills the office, until it is durable; what was cut off is said again. */
  async #append(partition: number, value: LogValue): Promise<void> {
    for (;;) {
      const process = this.#cluster.office();
      if (process !== null) {
        const log = this.#cluster.logFor(process, { definite: false });
        const appending = log.append("transitions", partition, [{ value, events: 0 }]).then(
          () => true,
          (error: unknown) => hasCode(error, "log_closed"),
        );
        const timeout = this.#sleep(replyMs).then(() => false);
        if (await Promise.race([appending, timeout])) return;
      }
      await this.#sleep(this.#cluster.random.between(...againMs));
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#cluster.time.after(ms, resolve);
    });
  }
}

function someOf<Item>(items: readonly Item[], pick: number): Item | undefined {
  return items[pick % Math.max(1, items.length)];
}
