import t from "tap";
import { createAddressGuard } from "../src/address-guard.ts";
import { hasCode } from "../src/errors.ts";
import { parseRetryAfter } from "../src/retry-after.ts";

await t.test("only public unicast addresses are allowed unless a network says otherwise", async (t) => {
  const none = createAddressGuard([]);
  const refused = `127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1
    ::1 :: fd00::1 fe80::1 fe80::1%eth0 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2001:db8::1 name`;
  for (const address of refused.split(/\s+/)) {
    t.notOk(none.allows(address), `${address} is refused`);
  }
  for (const address of ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"]) {
    t.ok(none.allows(address), `${address} is allowed`);
  }
  const some = createAddressGuard(["10.0.0.0/8", "fd00::/8", "192.168.7.7"]);
  for (const address of ["10.255.0.1", "::ffff:10.0.0.1", "fd12::1", "192.168.7.7"]) {
    t.ok(some.allows(address), `${address} is allowed by its network`);
  }
  for (const address of ["192.168.7.8", "::1"]) {
    t.notOk(some.allows(address), `${address} is still refused`);
  }
});

await t.test("a network that cannot be read is a configuration error", async (t) => {
  for (const text of ["10.0.0.0/33", "example.org", "10.0.0/8x", ""]) {
    try {
      createAddressGuard([text]);
      t.fail(`${text} was taken`);
    } catch (error) {
      t.ok(hasCode(error, "config_invalid"));
    }
  }
});

await t.test("Retry-After is read as seconds, as an HTTP date and as an ISO date", async (t) => {
  const nowMs = Date.parse("2026-01-05T10:00:00Z");
  const read = (value: string | undefined): number | undefined => parseRetryAfter(value, { nowMs, maxMs: 3_600_000 });
  t.equal(read("30"), 30_000);
  t.equal(read(" 0.5 "), 500);
  t.equal(read("Mon, 05 Jan 2026 10:01:00 GMT"), 60_000);
  t.equal(read("Monday, 05-Jan-26 10:01:00 GMT"), 60_000);
  t.equal(read("2026-01-05T10:02:00Z"), 120_000);
  t.equal(read("2026-01-05T09:00:00Z"), 0, "a date in the past means now");
  t.equal(read("999999"), 3_600_000, "capped");
  t.equal(read("2036-01-05T09:00:00Z"), 3_600_000, "capped");
  for (const value of [undefined, "", "-5", "soon", "NaN", "1e9"]) {
    t.equal(read(value), undefined, `${value} says nothing`);
  }
});
