/** A small model of what must have become of each alert, from the senders' history alone. Shares no code with Winnow. */
import type { Attempt, StepItem } from "./history.ts";

/** What may be seen of an alert in the end. Several where it is not known which messages arrived. */
export interface Fate {
  readonly tid: string;
  readonly app: string;
  /** At least one message about it was acknowledged: it must be found. */
  readonly isAcked: boolean;
  readonly statuses: ReadonlySet<"firing" | "resolved">;
  /** `yes`: it must be a member of its app's incident; `no`: of none. */
  readonly joined: "yes" | "no" | "unknown";
}

interface Message {
  readonly step: StepItem;
  /** Whether it is in the log: `maybe` where a connection broke or the answer was a refusal. */
  readonly arrived: "yes" | "maybe";
}

interface World {
  readonly status: "none" | "firing" | "resolved";
  readonly episode: number;
  readonly ended: number;
  readonly joined: boolean;
}

const nothing: World = { status: "none", episode: 0, ended: 0, joined: false };

/** The fate of every alert of which anything may have arrived. */
export function fatesOf(history: readonly Attempt[]): Map<string, Fate> {
  const messages = new Map<string, Message[]>();
  for (const { step, arrived } of messagesOf(history)) {
    const known = messages.get(step.tid);
    if (known === undefined) messages.set(step.tid, [{ step, arrived }]);
    else known.push({ step, arrived });
  }
  return new Map([...messages].map(([tid, told]) => [tid, fateOf(tid, told)]));
}

/** One message per send and alert; attempts with the same bytes are one message that may have come several times. */
function messagesOf(history: readonly Attempt[]): Message[] {
  const bySend = new Map<string, { items: readonly StepItem[]; arrived: "yes" | "maybe" }>();
  for (const { send, items, outcome } of history) {
    if (outcome === "unreachable") continue;
    const arrived = outcome === "acked" || bySend.get(send)?.arrived === "yes" ? "yes" : "maybe";
    bySend.set(send, { items, arrived });
  }
  return [...bySend.values()].flatMap(({ items, arrived }) => items.map((step) => ({ step, arrived })));
}

function fateOf(tid: string, told: readonly Message[]): Fate {
  let worlds: World[] = [nothing];
  for (const { step, arrived } of told) {
    const after = worlds.map((world) => next(world, step));
    worlds = distinct(arrived === "yes" ? after : [...worlds, ...after]);
  }
  const known = worlds.filter((world) => world.status !== "none");
  const joined = known.map((world) => world.joined);
  return {
    tid,
    app: told[0]?.step.app ?? "",
    isAcked: told.some(({ arrived }) => arrived === "yes"),
    statuses: new Set(known.map((world) => (world.status === "firing" ? "firing" : "resolved"))),
    joined: joined.every(Boolean) ? "yes" : joined.some(Boolean) ? "unknown" : "no",
  };
}

/** An alert's state after one more message: the newest episode counts, and a late message never undoes a newer one. */
function next(world: World, { kind, episode, at }: StepItem): World {
  if (kind === "fire") {
    if (world.status === "firing") return { ...world, episode: Math.max(world.episode, episode) };
    const isEcho = world.status === "resolved" && (episode < world.episode || at <= world.ended);
    return isEcho ? world : { status: "firing", episode, ended: 0, joined: true };
  }
  if (world.status === "firing" && episode < world.episode) return world;
  return { status: "resolved", episode: Math.max(world.episode, episode), ended: at, joined: world.joined };
}

function distinct(worlds: readonly World[]): World[] {
  return [...new Map(worlds.map((world) => [JSON.stringify(world), world])).values()];
}
