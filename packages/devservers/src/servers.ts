/** The words of this package: which servers there are, and what can be done with one. */

export const serverKinds = ["kafka", "redis", "postgres"] as const;
export type ServerKind = (typeof serverKinds)[number];

/** Where a server comes from: an address that was given, a container, or a program in the cache folder. */
export type ServerOrigin = "given" | "docker" | "native";

/** What a test does to a server that is its own. All on the same data and the same port. */
export interface ServerControls {
  /** Orderly stop and start; resolves when it answers again. */
  restart(): Promise<void>;
  /** SIGKILL to all of its processes; resolves when they are gone. */
  kill9(): Promise<void>;
  /** Starts it again after `kill9`; resolves when it answers. */
  start(): Promise<void>;
  /** Freezes all of its processes (SIGSTOP): connections stay open, nothing answers. */
  pause(): Promise<void>;
  /** Lets a paused server go on. */
  resume(): Promise<void>;
}

export interface RedisControls extends ServerControls {
  /** Deletes everything. */
  flushAll(): Promise<void>;
}

interface Server<Controls> {
  readonly origin: ServerOrigin;
  /** As its program or image calls itself; null for a given one. */
  readonly version: string | null;
  /** Absent for a given one, and for one that other test files use at the same time. */
  readonly controls?: Controls;
}

export interface KafkaServer extends Server<ServerControls> {
  /** `host:port` each. Topics are not created by themselves; the replication factor is 1. */
  readonly brokers: readonly string[];
}

/** Redis with `maxmemory-policy noeviction` and an append-only file synced every second. */
export interface RedisServer extends Server<RedisControls> {
  /** With the password. */
  readonly url: string;
}

/** Postgres with `fsync` on; the user may create databases. */
export interface PostgresServer extends Server<ServerControls> {
  /** With user, password and database. */
  readonly url: string;
}

export interface ServersByKind {
  readonly kafka: KafkaServer;
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
}

export interface UnavailableServer {
  readonly kind: ServerKind;
  /** Why it cannot be had here, in words for a skipped test. */
  readonly reason: string;
}

/** Server by kind, those that could be had, and why the others could not. */
export interface FoundServers extends Partial<ServersByKind> {
  readonly unavailable: readonly UnavailableServer[];
}

/** A running server, and how to end it. */
export interface Running<S> {
  readonly server: S;
  /** Stops it and deletes its data; done when all of its processes are gone. */
  stop(): Promise<void>;
}

export type Log = (line: string) => void;
