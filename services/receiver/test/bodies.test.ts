import { createHash } from "node:crypto";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import t from "tap";
import { listSource, recordingSource } from "./support/sources.ts";
import { alerts, integration, rawSocket, startWorld, token } from "./support/world.ts";

const request = (more: string): string => `POST /v1/in/prom HTTP/1.1\r\nHost: h\r\nX-Winnow-Token: ${token}\r\n${more}`;

/** Posts one body and returns the code of the dead letter that it became, or "taken". */
async function fate(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<{ status: number; fate: string; items: readonly unknown[] }> {
  const world = await startWorld();
  try {
    const { status } = await world.post(body, headers);
    const items = world.log.items();
    const [first] = items as { reason?: { code: string } }[];
    return { status, fate: first === undefined ? "nothing" : (first.reason?.code ?? "taken"), items };
  } finally {
    await world.close();
  }
}

await t.test("JSON is JSON whatever the content type says", async (t) => {
  const types = [
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "application/vnd.tool+json; charset=utf-8",
    "application/json\ta",
    "nonsense",
    "/",
  ];
  for (const type of types) {
    const { status, fate: what } = await fate(alerts("a"), { "content-type": type });
    t.same([status, what], [202, "taken"], type);
  }
  const world = await startWorld();
  t.teardown(world.close);
  const { write, until, socket } = rawSocket(world.port);
  write(`${request("")}Content-Length: ${alerts("a").length}\r\n\r\n${alerts("a")}`);
  t.match(await until(/\r\n\r\n/), /^HTTP\/1.1 202/, "no content type at all");
  socket.destroy();
});

await t.test("what cannot be read is a dead letter with its reason, answered 202", async (t) => {
  const cases: readonly [string, string, Record<string, string>?][] = [
    ["", "empty_body"],
    [" \r\n\t ", "empty_body"],
    ['{"alerts":', "invalid_json"],
    ["not json", "invalid_json"],
    ["[".repeat(65) + "]".repeat(65), "too_deep"],
    ["[".repeat(5_000), "too_deep"],
    ['{"a":'.repeat(65), "too_deep"],
    ["null", "missing_field"],
    ['""', "missing_field"],
    [alerts("a"), "encoding_unsupported", { "content-encoding": "br" }],
    [alerts("a"), "encoding_unsupported", { "content-encoding": "gzip, gzip" }],
    [alerts("a"), "encoding_invalid", { "content-encoding": "gzip" }],
    ["a=b", "invalid_json", { "content-type": "application/x-www-form-urlencoded" }],
    ["x", "form_invalid", { "content-type": "multipart/form-data" }],
  ];
  for (const [body, code, headers] of cases) {
    const { status, fate: what } = await fate(body, headers);
    t.same([status, what], [202, code], body.slice(0, 20));
  }
});

await t.test("64 levels are taken", async (t) => {
  const { fate: what } = await fate(`{"alerts":[{"name":"a"}],"deep":${"[".repeat(63)}${"]".repeat(63)}}`);
  t.equal(what, "taken");
});

await t.test("a dead letter keeps the bytes, their size and digest, and the content type", async (t) => {
  const { items } = await fate("not json", { "content-type": "text/x; a\u00e9" });
  t.match(items, [
    {
      type: "dead_letter",
      id: /^dl_[0-9a-f]{24}$/,
      integration: "prom",
      reason: { code: "invalid_json", text: /not valid JSON/ },
      raw_base64: Buffer.from("not json").toString("base64"),
      bytes: 8,
      sha256: createHash("sha256").update("not json").digest("hex"),
      content_type: /^text\/x/,
    },
  ]);
});

await t.test("a long dead letter keeps its head and says so", async (t) => {
  const world = await startWorld({ limits: { deadLetterBytes: 10 } });
  t.teardown(world.close);
  await world.post("not json at all");
  t.match(world.log.items(), [
    { bytes: 15, raw_base64: Buffer.from("not json a").toString("base64"), reason: { text: /first 10 of 15 bytes/ } },
  ]);
});

await t.test("a body of exactly the limit is taken, one byte more is 413 with its head kept", async (t) => {
  const pad = (bytes: number): string => {
    const empty = '{"alerts":[{"name":"a"}],"pad":""}';
    return empty.replace('""', `"${"x".repeat(bytes - empty.length)}"`);
  };
  const limit = 5 * 1024 * 1024;
  t.match(await fate(pad(limit)), { status: 202, fate: "taken" });
  const { status, items } = await fate(pad(limit + 1));
  t.equal(status, 413);
  t.match(items, [{ type: "dead_letter", reason: { code: "body_too_large" }, bytes: limit }]);
  const kept = Buffer.from((items[0] as { raw_base64: string }).raw_base64, "base64");
  t.equal(kept.length, 256 * 1024);
  t.ok(kept.toString().startsWith('{"alerts"'));
});

await t.test("a chunked body without an end in sight is 413 as soon as it is too large", async (t) => {
  const world = await startWorld({ limits: { bodyBytes: 1_000 } });
  t.teardown(world.close);
  const { write, until, socket } = rawSocket(world.port);
  write(`${request("Transfer-Encoding: chunked")}\r\n\r\n3e8\r\n${"x".repeat(1_000)}\r\n`);
  write(`1\r\nx\r\n`);
  const answer = await until(/body_too_large/);
  t.match(answer, /^HTTP\/1.1 413/);
  socket.destroy();
});

await t.test("a chunked body in single bytes is put together", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { write, until, socket } = rawSocket(world.port);
  write(`${request("Transfer-Encoding: chunked")}\r\n\r\n`);
  for (const character of alerts("a")) write(`1\r\n${character}\r\n`);
  write("0\r\n\r\n");
  t.match(await until(/accepted/), /^HTTP\/1.1 202[^]*"accepted":1/);
  socket.destroy();
});

await t.test("a body that does not come in time is 408", async (t) => {
  const limits = { requestTimeoutMs: 1_000, headersTimeoutMs: 800, connectionsCheckMs: 50 };
  const world = await startWorld({ limits });
  t.teardown(world.close);
  const slowBody = rawSocket(world.port);
  slowBody.write(`${request("Content-Length: 100")}\r\n\r\nhalf`);
  const slowHeaders = rawSocket(world.port);
  slowHeaders.write("POST /v1/in/prom HTTP/1.1\r\nHost");
  t.match(await slowBody.ended, /^HTTP\/1.1 408/);
  t.match(await slowHeaders.ended, /^HTTP\/1.1 408/);
  t.equal((await world.post(alerts("a"))).status, 202, "others are served meanwhile and after");
  t.same(world.log.items().length, 1);
});

await t.test("gzip and both kinds of deflate are undone", async (t) => {
  const bytes = Buffer.from(alerts("a"));
  const cases = [
    ["gzip", gzipSync(bytes)],
    ["x-gzip", gzipSync(bytes)],
    ["GZIP", gzipSync(bytes)],
    ["deflate", deflateSync(bytes)],
    ["deflate", deflateRawSync(bytes)],
    ["identity", bytes],
    ["", bytes],
  ] as const;
  for (const [coding, body] of cases) {
    const { fate: what } = await fate(body, { "content-encoding": coding });
    t.equal(what, "taken", coding);
  }
});

await t.test("a decompression bomb is 413 and takes no memory", async (t) => {
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024), { level: 9 });
  const { status, items } = await fate(bomb, { "content-encoding": "gzip" });
  t.equal(status, 413);
  t.match(items, [{ reason: { code: "body_too_large" }, bytes: bomb.length }], "the compressed bytes are what is kept");
  const ratio = gzipSync(Buffer.alloc(4 * 1024 * 1024));
  t.match(await fate(ratio, { "content-encoding": "gzip" }), { status: 413 }, "by its ratio");
});

await t.test("a truncated gzip body is a dead letter", async (t) => {
  const body = gzipSync(alerts("a")).subarray(0, -6);
  t.match(await fate(body, { "content-encoding": "gzip" }), { fate: "encoding_invalid" });
});

await t.test(
  "text is read by its mark, its charset, its zeros, else UTF-8, else roughly and with a warning",
  async (t) => {
    const title = "Größe \u65e5\u672c";
    const json = JSON.stringify({ alerts: [{ name: title }] });
    const wide = Buffer.from(json, "utf16le");
    const cases: readonly [string, Buffer, string | undefined, string, string?][] = [
      ["UTF-8", Buffer.from(json), undefined, title],
      ["UTF-8 with mark", Buffer.from(`\ufeff${json}`), "application/json", title],
      ["UTF-16LE with mark", Buffer.concat([Buffer.from([0xff, 0xfe]), wide]), undefined, title],
      ["UTF-16BE with mark", Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(wide).swap16()]), undefined, title],
      ["UTF-16LE bare", wide, undefined, title],
      ["UTF-16BE bare", Buffer.from(wide).swap16(), "application/json", title],
      [
        "Windows-1251",
        Buffer.from([...Buffer.from('{"alerts":[{"name":"'), 0xcf, 0xf0, ...Buffer.from('"}]}')]),
        'text/plain; charset="windows-1251"',
        "Пр",
      ],
      [
        "Latin-1 undeclared",
        Buffer.from('{"alerts":[{"name":"Gr\u00f6\u00dfe"}]}', "latin1"),
        undefined,
        "Größe",
        "charset_guess",
      ],
      [
        "Latin-1 said to be UTF-8",
        Buffer.from('{"alerts":[{"name":"Gr\u00f6\u00dfe"}]}', "latin1"),
        "application/json; charset=UTF-8",
        "Größe",
        "charset_guess",
      ],
      ["an unknown charset", Buffer.from(json), "application/json; charset=klingon", title, "charset_unusable"],
      ["a charset that is not kept", Buffer.from(json), "application/json; charset=utf-16", title, "charset_unusable"],
    ];
    for (const [what, body, type, expected, warning] of cases) {
      const world = await startWorld();
      const headers = type === undefined ? {} : { "content-type": type };
      const { json: answer } = await world.post(body as Uint8Array<ArrayBuffer>, headers);
      t.match(world.log.items(), [{ title: expected }], what);
      t.same(
        (answer["warnings"] as { code: string }[]).map(({ code }) => code),
        warning === undefined ? [] : [warning],
        what,
      );
      await world.close();
    }
  },
);

await t.test("identifiers keep their digits, and __proto__ stays a word", async (t) => {
  const body = '{"alerts":[{"name":285731000000025126,"labels":{"n":9007199254740993,"e":1e400}}],"__proto__":{"x":1}}';
  const world = await startWorld();
  t.teardown(world.close);
  await world.post(body);
  t.match(world.log.items(), [{ title: "285731000000025126", labels: { n: ["9007199254740993"], e: ["1e400"] } }]);
  await world.post('{"alerts":[{"name":"a","labels":{"__proto__":"polluted","constructor":"c"}}]}');
  t.notOk("polluted" in {});
  t.equal(({} as { polluted?: unknown }).polluted, undefined);
});

await t.test("NUL and lone surrogates are made storable", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { status } = await world.post('{"alerts":[{"name":"a\\u0000b\\ud800c"}]}');
  t.equal(status, 202);
  const text = JSON.stringify(world.log.items());
  t.match(world.log.items(), [{ title: "a\ufffdb\ufffdc" }]);
  t.ok(text.isWellFormed());
  t.notMatch(text, /\\u0000/);
});

await t.test("a source that takes forms gets the fields, urlencoded or multipart", async (t) => {
  const source = recordingSource(["form"]);
  const world = await startWorld({ integrations: [integration("prom", source)] });
  t.teardown(world.close);
  await world.post("host=db%201&tag=a&tag=b&empty=", { "content-type": "application/x-www-form-urlencoded" });
  await world.post("host=db+1", { "content-type": "text/plain" });
  const form = new FormData();
  form.set("data", "Gr\u00f6\u00dfe\r\n--x");
  form.set("file", new Blob(["bytes"]), 'na"me.txt');
  const { status } = await world.send("/v1/in/prom", { headers: { "x-winnow-token": token }, body: form });
  t.equal(status, 202);
  t.same(
    source.bodies.map((body) => body.kind === "form" && Object.fromEntries(body.fields)),
    [
      { host: ["db 1"], tag: ["a", "b"], empty: [""] },
      { host: ["db 1"] },
      { data: ["Gr\u00f6\u00dfe\r\n--x"], file: ["bytes"] },
    ],
  );
});

await t.test("a form with too many fields is a dead letter", async (t) => {
  const world = await startWorld({
    integrations: [integration("prom", recordingSource(["form"]))],
    limits: { formFields: 3 },
  });
  t.teardown(world.close);
  t.match((await world.post("a=1&b=2&c=3")).json, { accepted: 1 });
  t.match((await world.post("a=1&b=2&c=3&d=4")).json, { dead_lettered: 1, warnings: [{ code: "form_invalid" }] });
});

await t.test("JSON in the usual field of a form is found for a source that reads JSON", async (t) => {
  const world = await startWorld({ integrations: [integration("prom", listSource)] });
  t.teardown(world.close);
  const type = { "content-type": "application/x-www-form-urlencoded" };
  t.match((await world.post(`payload=${encodeURIComponent(alerts("a"))}`, type)).json, { accepted: 1 });
  t.match((await world.post("payload=%7B", type)).json, { dead_lettered: 1, warnings: [{ code: "invalid_json" }] });
});

await t.test("a source that prefers text gets text, and JSON where it looks like it", async (t) => {
  const source = recordingSource(["text", "json"]);
  const world = await startWorld({ integrations: [integration("prom", source)] });
  t.teardown(world.close);
  for (const body of ["OK - all well", "123", '{"a":1}', "{broken"])
    await world.post(body, { "content-type": "text/plain" });
  t.same(source.bodies, [
    { kind: "text", text: "OK - all well" },
    { kind: "text", text: "123" },
    { kind: "json", value: { a: 1 } },
    { kind: "text", text: "{broken" },
  ]);
});
