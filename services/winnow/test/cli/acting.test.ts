import t from "tap";
import { FakeApi, problem } from "./fake-api.ts";
import { runCli } from "./run-cli.ts";
import { before, deadLetter, incident, page } from "./samples.ts";

const api = await FakeApi.start();
t.teardown(async () => {
  await api.stop();
});
const env = { WINNOW_URL: api.url, WINNOW_TOKEN: "wnw_test" };

await t.test("ack, resolve and note send their words and print the incident as it is then", async (t) => {
  const states = { ack: "acknowledged", resolve: "resolved", note: "new" } as const;
  for (const action of ["ack", "resolve", "note"] as const) {
    api.on(`POST /v1/incidents/42/${action}`, incident({ state: states[action] }));
    const { code, stdout, stderr } = await runCli([action, "42", "looking", "at", "it"], { env });
    t.equal(stdout, `#42  P1  ${states[action]}  checkout: p99 above 2 s on web-1\n`);
    t.same([code, stderr, JSON.parse(api.last().body)], [0, "", { text: "looking at it" }]);
  }
});

await t.test("each run has an idempotency key of its own", async (t) => {
  const keys = new Set<unknown>();
  for (let run = 0; run < 2; run += 1) {
    await runCli(["ack", "42"], { env });
    keys.add(api.last().headers["idempotency-key"]);
  }
  t.notOk(keys.has(undefined));
  t.equal(keys.size, 2);
});

await t.test("JSON output is the API's incident", async (t) => {
  const { stdout } = await runCli(["ack", "42", "-o", "json"], { env });
  t.match(JSON.parse(stdout), { number: 42, state: "acknowledged" });
});

await t.test("a text may come from stdin, and a note needs one", async (t) => {
  await runCli(["note", "42", "-"], { env, stdin: "two\nlines\n" });
  t.same(JSON.parse(api.last().body), { text: "two\nlines" });
  const empty = await runCli(["note", "42", "-"], { env, stdin: " \n" });
  t.equal(empty.code, 2);
});

await t.test("what is stored but not yet applied is said", async (t) => {
  api.on("POST /v1/incidents/42/ack", () => ({ status: 202, body: incident() }));
  const { code, stderr } = await runCli(["ack", "42"], { env });
  t.equal(code, 0);
  t.match(stderr, /not applied yet/);
});

await t.test("an acknowledgement that comes after the end fails", async (t) => {
  api.on("POST /v1/incidents/42/ack", incident({ state: "resolved" }));
  const { code, stderr } = await runCli(["ack", "42"], { env });
  t.equal(code, 1);
  t.match(stderr, /resolved already/);
});

await t.test("dead letters are listed, those that wait unless asked otherwise", async (t) => {
  api.on("GET /v1/dead-letters", page([deadLetter()]));
  await runCli(["dlq", "ls"], { env });
  t.equal(api.last().url, "/v1/dead-letters?state=waiting");
  await runCli(["dlq", "ls", "--state", "retried,discarded"], { env });
  t.equal(api.last().url, "/v1/dead-letters?state=retried%2Cdiscarded");
});

await t.test("a dead letter is shown with its body", async (t) => {
  api.on("GET /v1/dead-letters/dl_0001", deadLetter());
  const { stdout } = await runCli(["dlq", "show", "dl_0001"], { env });
  t.match(stdout, /reason {7}wrong_body: alerts must be a list/);
  t.match(stdout, /\{\n {2}"alerts": 7\n\}\n$/);
  const bytes = Buffer.from([0, 255, 1]);
  api.on("GET /v1/dead-letters/dl_0001", deadLetter({ raw_base64: bytes.toString("base64") }));
  t.match((await runCli(["dlq", "show", "dl_0001"], { env })).stdout, /3 bytes that are no text/);
});

await t.test("dead letters are retried and discarded one by one", async (t) => {
  const retried = { ...deadLetter({ state: "retried" }), accepted: 2, dead_lettered: 0 };
  api.on("POST /v1/dead-letters/dl_0001/retry", () => ({ status: 202, body: retried }));
  api.on("POST /v1/dead-letters/dl_0002/retry", () => ({ status: 202, body: { ...retried, id: "dl_0002" } }));
  const both = await runCli(["dlq", "retry", "dl_0001", "dl_0002"], { env });
  t.same([both.code, both.stdout], [0, "dl_0001 sent again: 2 accepted\ndl_0002 sent again: 2 accepted\n"]);
  const half = await runCli(["dlq", "retry", "dl_0001", "dl_0003"], { env });
  t.same([half.code, half.stdout], [4, "dl_0001 sent again: 2 accepted\n"]);
  t.match(half.stderr, /dl_0003: There is no such thing/);
  const again = { ...retried, accepted: 0, dead_lettered: 1 };
  api.on("POST /v1/dead-letters/dl_0001/retry", () => ({ status: 202, body: again }));
  t.equal((await runCli(["dlq", "retry", "dl_0001"], { env })).code, 1);
  api.on("POST /v1/dead-letters/dl_0001/discard", () => problem(409, "It does not fit the present state"));
  t.equal((await runCli(["dlq", "discard", "dl_0001"], { env })).code, 1);
});

await t.test("a new token stands alone on stdout", async (t) => {
  api.on("POST /v1/tokens", () => ({ status: 201, body: { id: "tok_1", token: "wnw_new" } }));
  const made = await runCli(["token", "create", "bob", "--scopes", "read,act"], { env });
  t.same([made.code, made.stdout], [0, "wnw_new\n"]);
  t.match(made.stderr, /tok_1/);
  t.same(JSON.parse(api.last().body), { name: "bob", scopes: ["read", "act"] });
});

await t.test("tokens are listed and revoked", async (t) => {
  const row = { id: "tok_1", name: "bob", scopes: ["read"], created_at: before(61), revoked_at: null };
  api.on("GET /v1/tokens", page([row, { ...row, id: "tok_2", revoked_at: before(1) }]));
  t.equal(
    (await runCli(["token", "ls"], { env })).stdout,
    "ID     NAME  SCOPES  AGE  STATE\ntok_1  bob   read     1h  live\ntok_2  bob   read     1h  revoked\n",
  );
  api.on("DELETE /v1/tokens/tok_1", { revoked: true });
  t.equal((await runCli(["token", "revoke", "tok_1"], { env })).stdout, "tok_1 revoked\n");
  t.equal((await runCli(["token", "revoke", "tok_9"], { env })).code, 4);
});
