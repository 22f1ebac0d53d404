import { checkYaml } from "@winnow/platform";
import t from "tap";
import { sinkTypeOf } from "../src/registry.ts";

const check = (type: string, text: string) => {
  const schema = sinkTypeOf(type)?.configSchema;
  return schema === undefined ? undefined : checkYaml(text, "winnow.yaml", schema, { env: { SNOW_PASSWORD: "x" } });
};
const minimal = `
url: https://acme.service-now.com
auth: { basic: { username: winnow, password: { env: SNOW_PASSWORD } } }
`;

await t.test("a ServiceNow destination needs a URL and credentials; all else has a default", (t) => {
  t.match(check("servicenow", minimal), {
    ok: true,
    value: {
      url: "https://acme.service-now.com",
      close_code: "Solution provided",
      contact_type: "monitoring",
      business_service: true,
      fields: {},
      timeout: 65_000,
      kill_time: 75_000,
    },
  });
  t.end();
});

await t.test("what cannot be meant is an error", (t) => {
  const basic = "auth: { basic: { username: winnow, password: { env: SNOW_PASSWORD } } }";
  const url = "url: https://acme.service-now.com";
  const texts = {
    "no URL": basic,
    "no credentials": url,
    "an inline password": `${url}\nauth: { basic: { username: winnow, password: hunter2 } }`,
    "two ways to authenticate": `${url}\nauth: { api_key: { env: A }, oauth: { client_id: c, client_secret: { env: B } } }`,
    "no way to authenticate": `${url}\nauth: {}`,
    "an unknown setting": `${minimal}\nclosecode: x`,
    "a field that is no field name": `${minimal}\nfields: { "a b": x }`,
  };
  for (const [what, text] of Object.entries(texts)) {
    t.match(check("servicenow", text), { ok: false }, what);
  }
  t.end();
});

await t.test("a log destination needs nothing", (t) => {
  t.match(check("log", "{}"), { ok: true, value: { format: "text" } });
  t.match(check("log", "format: xml"), { ok: false });
  t.end();
});
