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
  /** The receivers that were told. */
  readonly doors: ReadonlySet<string>;
}

interface World {
  readonly status: "none" | "firing" | "resolved";
  readonly episode: number;
  readonly ended: number;
  readonly joined: boolean;
}

const nothing: World = { status: "none", episode: 0, ended: 0, joined: false };

/**
 * `sent`: one receiver, so messages arrive as they were sent. `doors`: several receivers, each of which may keep what it
 * has acknowledged for a while, so only what one of them alone was told arrives in its order.
 */
export type ArrivalOrder = "sent" | "doors";

/** The fate of every alert of which anything may have arrived. */
export function fatesOf(history: readonly Attempt[], order: ArrivalOrder = "sent"): Map<string, Fate> {
  const messages = new Map<string, Message[]>();
  for (const message of messagesOf(history)) {
    const known = messages.get(message.step.tid);
    if (known === undefined) messages.set(message.step.tid, [message]);
    else known.push(message);
  }
  return new Map([...messages].map(([tid, told]) => [tid, fateOf(tid, told, order)]));
}

/** One message per send and alert; attempts with the same bytes are one message that may have come several times. */
function messagesOf(history: readonly Attempt[]): Message[] {
  const bySend = new Map<string, Omit<Message, "step"> & { readonly items: readonly StepItem[] }>();
  for (const { send, items, outcome, door } of history) {
    if (outcome === "unreachable") continue;
    const before = bySend.get(send);
    const arrived = outcome === "acked" || before?.arrived === "yes" ? "yes" : "maybe";
    bySend.set(send, { items, arrived, doors: new Set([...(before?.doors ?? []), door]) });
  }
  return [...bySend.values()].flatMap(({ items, ...rest }) => items.map((step) => ({ step, ...rest })));
}

function fateOf(tid: string, told: readonly Message[], order: ArrivalOrder): Fate {
  const worlds = order === "sent" ? worldsAsSent(told) : worldsByDoors(told);
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

function worldsAsSent(told: readonly Message[]): World[] {
  let worlds: World[] = [nothing];
  for (const { step, arrived } of told) {
    const after = worlds.map((world) => next(world, step));
    worlds = distinct(arrived === "yes" ? after : [...worlds, ...after]);
  }
  return worlds;
}

/** All that can be reached, set of arrived messages by set: an alert has few of them, a bit each. */
function worldsByDoors(told: readonly Message[]): World[] {
  const reached: World[][] = [[nothing]];
  for (let arrived = 1; arrived < 1 << told.length; arrived += 1) {
    const lastOnes = told.flatMap((last, at) => {
      const isIn = (arrived & (1 << at)) !== 0;
      const isLate = told.some(
        (other, later) => later > at && (arrived & (1 << later)) !== 0 && isOrdered(last, other),
      );
      return isIn && !isLate ? (reached[arrived & ~(1 << at)] ?? []).map((world) => next(world, last.step)) : [];
    });
    reached.push(distinct(lastOnes));
  }
  const needed = told.reduce((bits, { arrived }, at) => bits | (arrived === "yes" ? 1 << at : 0), 0);
  return distinct(reached.flatMap((worlds, arrived) => ((arrived & needed) === needed ? worlds : [])));
}

/** Both were told to one receiver, the same. */
function isOrdered(one: Message, other: Message): boolean {
  return new Set([...one.doors, ...other.doors]).size === 1;
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
