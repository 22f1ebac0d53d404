import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COORDINATOR_SOCKET, type FoundServers, isErrno, startCoordinator } from "@winnow/devservers";
import { Redis } from "ioredis";
import { type EachMessagePayload, Kafka, logLevel, Partitioners } from "kafkajs";
import { Client } from "pg";
import t, { type Test } from "tap";
import { ownServers, sharedServers, skipWithout } from "./shared.ts";

// The first run downloads 150 MB; a run on its own has no setting but this one.
t.setTimeout(600_000);

/** Defines a test with servers of its own; skipped, with the reason, where they cannot be had. */
async function ownTest(
  title: string,
  kind: "kafka" | "redis" | "postgres",
  body: (t: Test, servers: FoundServers, folder: string) => Promise<void>,
): Promise<void> {
  await t.test(title, async (t) => {
    const before = new Set(await dataFolders(kind));
    let folder: string | undefined;
    await t.test("with the server", async (t) => {
      const servers = await ownServers(t, [kind]);
      const reason = skipWithout(servers, kind);
      if (reason !== false) {
        t.pass(title, { skip: reason });
        return;
      }
      folder = (await dataFolders(kind)).find((one) => !before.has(one));
      await body(t, servers, folder ?? "none");
    });
    if (folder !== undefined) {
      t.same(await processesOf(folder), [], "no process is left behind");
      t.notOk((await dataFolders(kind)).includes(folder), "no data is left behind");
    }
  });
}

async function dataFolders(kind: string): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith(`winnow-${kind}-`));
}

/** The states (R, S, T …) of all processes that work in `folder`, or name it. */
async function processesOf(folder: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const states = await Promise.all(
    pids.map(async (pid) => {
      const isOfIt = `${await readIfThere(`/proc/${pid}/cmdline`)} ${await cwdOf(pid)}`.includes(folder);
      return isOfIt ? [/^State:\s+(\S)/m.exec(await readIfThere(`/proc/${pid}/status`))?.[1] ?? "gone"] : [];
    }),
  );
  return states.flat();
}

async function cwdOf(pid: string): Promise<string> {
  try {
    return await readlink(`/proc/${pid}/cwd`);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH", "EACCES")) {
      return "";
    }
    throw error;
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) {
      return "";
    }
    throw error;
  }
}

/** What a test needs that its server is there for sure. */
function there<T>(value: T | undefined): T {
  if (value === undefined) {
    throw new Error("the server is not there");
  }
  return value;
}

await ownTest(
  "Redis keeps its data over a stop and a kill, evicts nothing, freezes and flushes",
  "redis",
  async (t, servers, folder) => {
    const { url, controls } = there(servers.redis);
    const { restart, kill9, start, pause, resume, flushAll } = there(controls);
    const redis = new Redis(url);
    t.teardown(() => {
      redis.disconnect();
    });
    redis.on("error", () => {});
    const setting = async (name: string): Promise<unknown> => (await redis.config("GET", name))[1];
    t.equal(await setting("maxmemory-policy"), "noeviction");
    t.equal(await setting("appendonly"), "yes");
    t.equal(await setting("appendfsync"), "everysec");
    await redis.set("a", "before the stop");
    await restart();
    t.equal(await redis.get("a"), "before the stop");
    await redis.set("b", "before the kill");
    const closed = once(redis, "close");
    await kill9();
    await closed;
    await start();
    t.equal(await redis.get("b"), "before the kill");
    await pause();
    const states = await processesOf(folder);
    t.ok(states.length > 0 && states.every((state) => state === "T"), `frozen: ${states.join(" ")}`);
    const answer = redis.get("a");
    await resume();
    t.equal(await answer, "before the stop");
    await flushAll();
    t.equal(await redis.dbsize(), 0);
  },
);

await ownTest(
  "Postgres keeps its data over a stop and a kill, and is nobody's where we are root",
  "postgres",
  async (t, servers, folder) => {
    const { url, origin, controls } = there(servers.postgres);
    const { restart, kill9, start } = there(controls);
    const query = async (text: string): Promise<readonly unknown[]> => {
      const client = new Client({ connectionString: url });
      client.on("error", () => {});
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(text)).rows;
      } finally {
        await client.end();
      }
    };
    t.same(await query("show fsync"), [{ fsync: "on" }]);
    await query("create table words (word text)");
    await query("insert into words values ('before the stop')");
    const idle = new Client({ connectionString: url });
    idle.on("error", () => {});
    await idle.connect();
    await restart();
    await query("insert into words values ('before the kill')");
    if (origin === "native") {
      const users = await usersOf(folder);
      t.ok(users.length > 1 && !users.includes("0"), users.join(" "));
    }
    await kill9();
    await start();
    t.same(await query("select word from words"), [{ word: "before the stop" }, { word: "before the kill" }]);
    await query("create database another");
  },
);

/** The user ids of the processes that work in `folder`. */
async function usersOf(folder: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const ids = await Promise.all(
    pids.map(async (pid) => {
      const status = (await cwdOf(pid)).includes(folder) ? await readIfThere(`/proc/${pid}/status`) : "";
      return /^Uid:\s+(\d+)/m.exec(status)?.[1] ?? [];
    }),
  );
  return ids.flat();
}

await ownTest("Kafka keeps its messages over a stop and a kill", "kafka", async (t, servers) => {
  const { brokers, controls } = there(servers.kafka);
  const { restart, kill9, start } = there(controls);
  const kafka = new Kafka({
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 50 },
  });
  const admin = kafka.admin();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  const consumer = kafka.consumer({ groupId: "readers", sessionTimeout: 10_000, heartbeatInterval: 1_000 });
  t.teardown(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
  });
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: "words", numPartitions: 2 }] });
  await producer.connect();
  const send = async (value: string): Promise<void> => {
    await producer.send({ topic: "words", acks: -1, messages: [{ key: value, value }] });
  };
  await send("before the stop");
  await restart();
  await send("before the kill");
  await kill9();
  const startedAt = performance.now();
  await start();
  await send("after the kill");
  t.comment(`the first message after a kill was accepted after ${Math.round(performance.now() - startedAt)} ms`);
  const read = new Set<string>();
  const all = Promise.withResolvers<void>();
  await consumer.connect();
  await consumer.subscribe({ topic: "words", fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message }: EachMessagePayload) => {
      read.add(String(message.value));
      if (read.size === 3) {
        all.resolve();
      }
      return Promise.resolve();
    },
  });
  await all.promise;
  t.same([...read].toSorted(), ["after the kill", "before the kill", "before the stop"]);
});

await t.test("servers die with a test run that is killed", async (t) => {
  const module = JSON.stringify(import.meta.resolve("@winnow/devservers"));
  const script = `
    const { bringServers } = await import(${module});
    const { redis, postgres, unavailable } = await bringServers({ kinds: ["redis", "postgres"], own: true });
    process.send({ urls: [redis?.url, postgres?.url].filter((url) => url !== undefined), unavailable });
  `;
  const run = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const before = new Set([...(await dataFolders("redis")), ...(await dataFolders("postgres"))]);
  const [{ urls, unavailable }] = (await once(run, "message")) as [
    Pick<FoundServers, "unavailable"> & { urls: string[] },
  ];
  const left = [...(await dataFolders("redis")), ...(await dataFolders("postgres"))].filter((one) => !before.has(one));
  t.teardown(async () => {
    await Promise.all(left.map((one) => rm(join(tmpdir(), one), { recursive: true })));
  });
  if (unavailable.length > 0) {
    t.pass("killed", { skip: skipWithout({ unavailable }, "redis", "postgres") });
    run.kill("SIGKILL");
    return;
  }
  const sockets = await Promise.all(urls.map((url) => openSocket(Number(new URL(url).port))));
  const ends = sockets.map((socket) => once(socket, "close"));
  run.kill("SIGKILL");
  await Promise.all(ends);
  t.equal(ends.length, 2, "both servers hung up");
});

async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  await once(socket, "connect");
  return socket;
}

await t.test("all files of one run share a server that the run stops", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "winnow-run-"));
  const outer = process.env["WINNOW_TEST_RUN"];
  process.env["WINNOW_TEST_RUN"] = folder;
  const coordinator = await startCoordinator(join(folder, COORDINATOR_SOCKET));
  t.teardown(async () => {
    if (outer === undefined) delete process.env["WINNOW_TEST_RUN"];
    else process.env["WINNOW_TEST_RUN"] = outer;
    await coordinator.stop();
    await rm(folder, { recursive: true });
  });
  const [first, second] = await Promise.all([sharedServers(t, ["redis"]), sharedServers(t, ["redis"])]);
  const reason = skipWithout(first, "redis");
  if (reason !== false) {
    t.pass("shared", { skip: reason });
    return;
  }
  t.equal(first.redis?.url, second.redis?.url);
  t.equal(first.redis?.controls, undefined, "nobody kills what others use");
  const { hostname, port } = new URL(there(first.redis).url);
  const socket = await openSocket(Number(port));
  t.equal(hostname, "127.0.0.1");
  const end = once(socket, "close");
  await coordinator.stop();
  await end;
});
