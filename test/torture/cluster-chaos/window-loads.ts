/** The alerts of the window-loss run, the same for every run with the same seed. */
import type { Random } from "../random.ts";

export interface Body {
  /** Which receiver it goes to: all messages of an alert go to the same one, in order. */
  readonly door: number;
  readonly text: string;
  readonly alerts: number;
}

interface AlertState {
  episode: number;
  isFiring: boolean;
}

const membersPerService = 100;
const episodeMs = 60_000;
const repeatShare = 0.6;
const resolveShare = 0.7;
const severities = ["critical", "error", "warning"];

export interface WindowLoads {
  /** Every alert fires, in bodies of `batch`. */
  opening(alerts: number, batch: number): Body[];
  /** Repeats, resolves, and what was resolved fires again, drawn from those that were opened. */
  following(bodies: number, batch: number): Body[];
}

export function windowLoads(random: Random, doors: number, beginningMs: number): WindowLoads {
  const states: AlertState[] = [];
  const bodyOf = (door: number, keys: readonly number[]): Body => ({
    door,
    text: JSON.stringify({ version: "4", status: "firing", alerts: keys.map((key) => member(key)) }),
    alerts: keys.length,
  });
  const member = (key: number): object => {
    const { episode, isFiring } = states[key] ?? { episode: 0, isFiring: true };
    const startedMs = beginningMs + episode * episodeMs;
    return {
      status: isFiring ? "firing" : "resolved",
      labels: {
        alertname: `Check${key % 40}`,
        instance: `host-${key}:9100`,
        service: `service-${Math.floor(key / membersPerService)}`,
        severity: severities[key % severities.length],
      },
      annotations: { summary: `check ${key % 40} of host-${key}` },
      startsAt: new Date(startedMs).toISOString(),
      endsAt: isFiring ? "0001-01-01T00:00:00Z" : new Date(startedMs + episodeMs / 2).toISOString(),
    };
  };
  return {
    opening: (alerts, batch) => {
      for (let key = 0; key < alerts; key += 1) states.push({ episode: 0, isFiring: true });
      return Array.from({ length: doors }, (_, door) => {
        const mine = states.flatMap((_state, key) => (key % doors === door ? [key] : []));
        return Array.from({ length: Math.ceil(mine.length / batch) }, (_body, at) =>
          bodyOf(door, mine.slice(at * batch, (at + 1) * batch)),
        );
      }).flat();
    },
    following: (bodies, batch) =>
      Array.from({ length: bodies }, (_, at) => {
        const door = at % doors;
        const keys = new Set<number>();
        while (keys.size < batch) {
          const key = random.between(0, Math.floor(states.length / doors) - 1) * doors + door;
          keys.add(key);
        }
        for (const key of keys) step(states[key], random);
        return bodyOf(door, [...keys]);
      }),
  };
}

function step(state: AlertState | undefined, random: Random): void {
  if (state === undefined || random.chance(repeatShare)) return;
  if (state.isFiring) {
    if (random.chance(resolveShare)) state.isFiring = false;
    return;
  }
  state.isFiring = true;
  state.episode += 1;
}
