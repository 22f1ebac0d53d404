import { readdirSync, readFileSync } from "node:fs";
import type { StagePartition } from "@winnow/ports";
import t from "tap";
import { partitionKeys } from "../../src/windows-redis/keys.ts";
import { composeScript, type ScriptName, scriptShapes } from "../../src/windows-redis/scripts.ts";

const folder = new URL("../../src/windows-redis/lua/", import.meta.url);
const libraries = ["apply", "fence"];
const names = Object.keys(scriptShapes) as ScriptName[];
const read = (name: string): string => readFileSync(new URL(`${name}.lua`, folder), "utf8");

await t.test("each file is a script of the table or a library", async (t) => {
  const files = readdirSync(folder).map((file) => file.replace(".lua", ""));
  t.strictSame(files.toSorted(), [...names, ...libraries].toSorted());
});

await t.test("each script's header says what its wrapper passes", async (t) => {
  for (const name of names) {
    const { keys, needs } = scriptShapes[name];
    const text = read(name);
    const header = text
      .split("\n")
      .filter((line) => line.startsWith("--"))
      .join("\n");
    const declared = [...header.matchAll(/^-- KEYS\[(\d)\] (\w+)/gm)].map(([, at, key]) => `${at} ${key}`);
    t.strictSame(
      declared,
      keys.map((key, index) => `${index + 1} ${key}`),
      `${name}: KEYS`,
    );
    t.strictSame(/^-- Needs: (.+)$/m.exec(header)?.[1]?.split(", ") ?? [], needs, `${name}: libraries`);
    t.match(text.split("\n")[1], /^-- [A-Z].+/, `${name}: purpose`);
    t.match(header, /^-- Returns /m, `${name}: returns`);
    t.match(header, /^-- Worst case: /m, `${name}: worst case`);
    const used = new Set(
      [...text.matchAll(/ARGV\[(\d)\]|unpack\(ARGV, (\d)\)|ARGV, (\d)\)/g)].map((m) => m[1] ?? m[2] ?? m[3]),
    );
    for (const at of used) t.match(header, new RegExp(`^-- ARGV\\[${at}[.\\]]`, "m"), `${name}: ARGV[${at}]`);
    t.ok(text.split("\n").length < 100, `${name}: under 100 lines`);
  }
});

await t.test("flags stay in front and libraries follow them", async (t) => {
  for (const name of names) {
    const lines = (await composeScript(name)).split("\n");
    t.match(lines[0], /^#!lua( flags=(no-writes|allow-oom))?$/, name);
    for (const library of scriptShapes[name].needs) t.ok(lines.includes(read(library).split("\n")[0] ?? ""), name);
  }
});

await t.test("scripts touch declared keys alone, and only writing scripts write", async (t) => {
  for (const name of names) {
    const text = await composeScript(name);
    const calls = [...text.matchAll(/redis\.(\w+)\('([A-Z]+)', ([\w[\]]+)/g)];
    t.equal(calls.length, text.split("redis.").length - 1, `${name}: every call names its command and key`);
    for (const [, call, command, key] of calls) {
      t.equal(call, "call");
      t.match(key, /^(KEYS\[\d\]|owner|states|deadlines|keys)$/, `${name}: ${command}`);
    }
    const writes = calls.some(
      ([, , command = ""]) => !["HGET", "HMGET", "EXISTS", "ZRANGE", "LINDEX", "LLEN", "LRANGE"].includes(command),
    );
    t.equal(!writes, text.includes("no-writes"), name);
  }
});

await t.test("all keys of a stage partition lie in one cluster slot, and partitions spread", async (t) => {
  t.equal(slotOf("123456789"), 12_739, "the slots are those of the cluster specification");
  const slots = new Set<number>();
  for (const stage of ["A", "B"] as const)
    for (let partition = 0; partition < 16; partition += 1) {
      const at: StagePartition = { stage, partition };
      const own = new Set(Object.values(partitionKeys("winnow", at)).map(slotOf));
      t.equal(own.size, 1, `${stage}.${partition}`);
      for (const slot of own) slots.add(slot);
    }
  t.ok(slots.size > 16);
});

/** Redis Cluster: CRC-16 (XMODEM) of the text between the first brace and the next closing one, modulo 16,384. */
function slotOf(key: string): number {
  const tag = /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key;
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc % 16_384;
}
