import { inspect } from "node:util";
import { hasCode, Secret } from "@winnow/platform";
import t from "tap";

await t.test("a secret shows its origin, never itself, however it is printed", async (t) => {
  const secret = new Secret({ env: "TOKEN" }, { env: { TOKEN: "hunter2" } });
  t.equal(secret.reveal(), "hunter2");
  const nested = { auth: { bearer: secret } };
  for (const text of [String(secret), JSON.stringify(nested), inspect(nested, { depth: 9, showHidden: true })]) {
    t.notMatch(text, /hunter2/);
    t.match(text, /secret env:TOKEN/);
  }
  t.notMatch(Object.values(secret).map(String).join(), /hunter2/);
});

await t.test("a secret is read when it is first needed, and once", async (t) => {
  let reads = 0;
  const readFile = (path: string): string => {
    reads += 1;
    return `${path}-secret\n`;
  };
  const secret = new Secret({ file: "/run/token" }, { env: {}, readFile });
  t.equal(reads, 0);
  t.equal(secret.reveal(), "/run/token-secret");
  t.equal(secret.reveal(), "/run/token-secret");
  t.equal(reads, 1);
});

await t.test("a secret that is not there is a config_invalid that names its place", async (t) => {
  const unset = new Secret({ env: "TOKEN" }, { env: { TOKEN: "" } });
  const absent = new Secret({ file: "/nowhere/token" }, { env: {} });
  const empty = new Secret({ file: "/run/token" }, { env: {}, readFile: () => "\n" });
  t.match(unset.problem(), /TOKEN is not set/);
  t.match(absent.problem(), /\/nowhere\/token cannot be read/);
  t.match(empty.problem(), /\/run\/token is empty/);
  for (const secret of [unset, absent, empty]) {
    try {
      secret.reveal();
      t.fail("revealed");
    } catch (error) {
      t.ok(hasCode(error, "config_invalid"));
    }
  }
});
