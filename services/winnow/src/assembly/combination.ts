import { type Config, WinnowError } from "@winnow/platform";
import { type Role, roles } from "./roles.ts";

/** Where everything is kept. `own_files`: all of it, or all but the incidents, in the data directory. */
export type Combination =
  | { readonly kind: "own_files"; readonly store: string | null }
  | { readonly kind: "cluster"; readonly log: string; readonly windows: string; readonly store: string };

/**
 * Log, windows and store belong together in three ways: all in the data directory; incidents in Postgres and the rest in
 * the data directory; Kafka, Redis and Postgres. Throws WinnowError `config_invalid` for any other, with the reason.
 */
export function combinationOf(
  { log, windows, store }: Pick<Config, "log" | "windows" | "store">,
  held: readonly Role[],
): Combination {
  demandScheme("log", log, ["kafka:", "kafkas:"]);
  demandScheme("windows", windows, ["redis:", "rediss:"]);
  demandScheme("store", store, ["postgres:", "postgresql:"]);
  if (log !== null && windows !== null && store !== null) return { kind: "cluster", log, windows, store };
  const isWhole = roles.every((role) => held.includes(role));
  if (!isWhole)
    refuse(
      `a ${held.join(" and ")} alone shares its work with other processes`,
      "give log (Kafka), windows (Redis) and store (Postgres), all three",
    );
  if (log !== null)
    refuse(
      "a log in Kafka is read by many processes, so windows and incidents cannot be in the files of one",
      "give windows (Redis) and store (Postgres) too, or leave log out",
    );
  if (windows !== null)
    refuse(
      "windows in Redis would be lost with it: they are rebuilt from Kafka and from checkpoints in Postgres",
      "give log (Kafka) and store (Postgres) too, or leave windows out",
    );
  return { kind: "own_files", store };
}

function demandScheme(name: string, url: string | null, schemes: readonly string[]): void {
  if (url === null || schemes.some((scheme) => url.startsWith(`${scheme}//`))) return;
  refuse(`${name} is not an address that is known`, `it starts with ${schemes.map((one) => `${one}//`).join(" or ")}`);
}

function refuse(why: string, fix: string): never {
  throw new WinnowError("config_invalid", `${why}: ${fix}`);
}
