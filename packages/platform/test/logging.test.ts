import t from "tap";
import { WinnowError } from "../src/errors.ts";
import { createLogger, fieldsFirst, type LogFields, silentLogger } from "../src/logging.ts";
import { cleanText, redactText } from "../src/logging-redact.ts";
import { Secret } from "../src/secrets.ts";

function recording(level: "debug" | "info" = "info") {
  const lines: string[] = [];
  const logger = createLogger({ level, destination: { write: (line: string) => lines.push(line) } });
  return {
    lines,
    logger,
    last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown>,
  };
}

async function written(fields: LogFields): Promise<string> {
  const { logger, lines } = recording();
  logger.info("line", fields);
  return lines.join("");
}

await t.test("a line is one JSON object with level, time, fields and message", async (t) => {
  const { logger, last, lines } = recording();
  logger.child({ service: "receiver" }).warn("the disk is nearly full", { free_bytes: 12 });
  t.match(last(), { level: "warn", service: "receiver", free_bytes: 12, message: "the disk is nearly full" });
  t.match(last()["time"], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.equal(lines.length, 1);
});

await t.test("lines below the level are not written", async (t) => {
  const { logger, lines } = recording("info");
  logger.debug("detail");
  t.same(lines, []);
});

await t.test("a secret is never printed, wherever it stands", async (t) => {
  const secret = new Secret({ env: "AM_TOKEN" }, { env: { AM_TOKEN: "canary-1234" } });
  secret.reveal();
  const line = await written({
    secret,
    holder: { inner: { own: secret } },
    authorization: "Bearer canary-1234",
    headers: { "X-Winnow-Token": "canary-1234", Cookie: "a=canary-1234" },
    url: "http://user:canary-1234@host/v1/in/prom/canary-1234?token=canary-1234&x=1",
    error: new Error("GET http://h/x?apiKey=canary-1234 with Bearer canary-1234 failed"),
    password: ["canary-1234"],
  });
  t.notMatch(line, /canary/);
  t.match(line, /x=1/, "what is not secret stays readable");
});

await t.test("control characters and terminal escapes do not reach a terminal", async (t) => {
  const { logger, last } = recording();
  logger.info('\u001b[2Jone\r\n{"level":60}\u009b', { title: "a\u0000b\u202ec", "na\nme": 1 });
  t.equal(last()["message"], ' one  {"level":60} ');
  t.equal(last()["title"], "a b c");
  t.equal(last()["na me"], 1);
});

await t.test("long text is cut, and says so", async (t) => {
  const text = cleanText("x".repeat(5_000));
  t.ok(text.length < 2_100);
  t.match(text, /5000 characters/);
});

await t.test("an error keeps its code, fields and cause", async (t) => {
  const { logger, last } = recording();
  const cause = new Error("ENOSPC");
  logger.error("append failed", { error: new WinnowError("log_full", "no space", { cause, fields: { free: 0 } }) });
  t.match(last()["error"], { type: "WinnowError", code: "log_full", message: "no space", fields: { free: 0 } });
  t.match(last()["error"], { cause: { message: "ENOSPC" } });
});

await t.test("cyclic, deep and odd values do not break a line", async (t) => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const line = await written({ cycle, big: 10n, bytes: Buffer.from("abc"), none: undefined, fn: () => 1 });
  t.match(JSON.parse(line), { big: "10", bytes: "(3 bytes)" });
});

await t.test("tokens in paths and queries are taken out of URLs", async (t) => {
  t.equal(redactText("/v1/in/zabbix/abcdef?x=1"), "/v1/in/zabbix/[redacted]?x=1");
  t.equal(redactText("/v1/in/zabbix"), "/v1/in/zabbix");
  t.equal(redactText("/x?access_token=a&q=b"), "/x?access_token=[redacted]&q=b");
});

await t.test("the silent logger says nothing and can be a parent", async (t) => {
  t.doesNotThrow(() => {
    silentLogger().child({ a: 1 }).error("x");
  });
});

await t.test("parts that put the fields first write the same lines", async (t) => {
  const { logger, last } = recording();
  fieldsFirst(logger.child({ service: "log" })).warn({ free_bytes: 1 }, "the disk is nearly full");
  t.match(last(), { level: "warn", service: "log", free_bytes: 1, message: "the disk is nearly full" });
});
