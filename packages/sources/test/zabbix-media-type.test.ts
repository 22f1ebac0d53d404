import { readFileSync } from "node:fs";
import { createContext, Script } from "node:vm";
import { sourceByType } from "@winnow/sources";
import t from "tap";
import { parse } from "yaml";
import { bodySchema } from "../src/zabbix/schema.ts";

interface MediaType {
  readonly name: string;
  readonly type: string;
  readonly parameters: readonly { readonly name: string; readonly value: string }[];
  readonly attempts: string;
  readonly script: string;
}

const file = readFileSync(new URL("../src/zabbix/media_type_winnow.yaml", import.meta.url), "utf8");
const { zabbix_export: exported } = parse(file) as {
  readonly zabbix_export: { readonly version: string; readonly media_types: readonly [MediaType] };
};
const [mediaType] = exported.media_types;

interface Posted {
  readonly url: string;
  readonly body: string;
  readonly headers: readonly string[];
  readonly proxy: string | undefined;
}

/** Runs the script as Zabbix does: a function body with the parameters as JSON text in `value`. */
function runScript(parameters: Record<string, string>, status = 202): { posted: Posted[]; answer: unknown } {
  const posted: Posted[] = [];
  class HttpRequest {
    readonly #headers: string[] = [];
    #proxy: string | undefined;
    addHeader(header: string): void {
      this.#headers.push(header);
    }
    setProxy(proxy: string): void {
      this.#proxy = proxy;
    }
    post(url: string, body: string): string {
      posted.push({ url, body, headers: this.#headers, proxy: this.#proxy });
      return "{}";
    }
    getStatus(): number {
      return status;
    }
  }
  const context = createContext({ HttpRequest, value: JSON.stringify(parameters) });
  const answer: unknown = new Script(`(function () {\n${mediaType.script}\n})()`).runInContext(context);
  return { posted, answer };
}

/** Zabbix scripts throw texts. */
function thrownBy(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

const parameters = Object.fromEntries(mediaType.parameters.map(({ name, value }) => [name, value]));
const address = { winnow_url: "https://winnow.example.org/v1/in/zabbix", winnow_token: "s3cret" };

await t.test("it is a webhook in the export format of Zabbix 6.0 that tries again", async (t) => {
  t.equal(exported.version, "6.0");
  t.equal(mediaType.type, "WEBHOOK");
  t.ok(Number(mediaType.attempts) > 1);
});

await t.test("its parameters are exactly the fields that the source reads", async (t) => {
  const own = ["winnow_url", "winnow_token", "http_proxy"];
  const sent = mediaType.parameters.map(({ name }) => name).filter((name) => !own.includes(name));
  t.strictSame([...sent, "sent_at"].toSorted(), Object.keys(bodySchema.properties).toSorted());
});

await t.test("the script posts every parameter as JSON, whatever is in the texts, and not the token", async (t) => {
  const nasty = 'a "quote", a \\ and\na new line';
  const { posted, answer } = runScript({ ...parameters, ...address, event_name: nasty, event_id: "7" });
  t.equal(answer, "OK");
  const [request] = posted;
  t.equal(posted.length, 1);
  t.equal(request?.url, address.winnow_url);
  t.strictSame(request?.headers, ["Content-Type: application/json", "X-Winnow-Token: s3cret"]);
  t.equal(request?.proxy, undefined);
  t.notMatch(request?.body, /s3cret|winnow_url/);
  const body = JSON.parse(request?.body ?? "") as Record<string, unknown>;
  t.equal(body["event_name"], nasty);
  t.ok(typeof body["sent_at"] === "number" && body["sent_at"] > 1_700_000_000);
});

await t.test("the script throws on every answer but 2xx, so that Zabbix tries again", async (t) => {
  for (const status of [0, 199, 302, 401, 500, 503]) {
    const thrown = thrownBy(() => runScript({ ...parameters, ...address }, status));
    t.match(thrown, `answered ${status}`);
  }
  t.equal(
    thrownBy(() => runScript({ ...parameters, ...address }, 200)),
    undefined,
  );
});

await t.test("the script uses the proxy, and refuses to run before its address is set", async (t) => {
  t.equal(
    runScript({ ...parameters, ...address, http_proxy: "http://proxy:3128" }).posted[0]?.proxy,
    "http://proxy:3128",
  );
  t.match(
    thrownBy(() => runScript(parameters)),
    /winnow_url/,
  );
});

await t.test("the test dialog, which sends the macros themselves, gives a test and no alert", async (t) => {
  const { posted } = runScript({ ...parameters, ...address });
  const value: unknown = JSON.parse(posted[0]?.body ?? "");
  const result = sourceByType("zabbix")?.normalise({ body: { kind: "json", value }, headers: {}, receivedMs: 1 }, {});
  t.strictSame(
    result?.drafts.map((draft) => draft.kind),
    ["test"],
  );
});
