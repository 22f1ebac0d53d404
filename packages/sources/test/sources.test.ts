import { hash } from "node:crypto";
import { finishEvent } from "@winnow/core";
import { type Normalised, type SourceBody, type SourceSettings, sourceByType } from "@winnow/sources";
import { readSourceFixtures, requestOf } from "@winnow/testkit";
import t from "tap";

function normalise(type: string, body: SourceBody, settings: SourceSettings = {}): Normalised {
  const source = sourceByType(type);
  if (source === undefined) throw new Error(`no source ${type}`);
  return source.normalise({ body, headers: {}, receivedMs: Date.parse("2026-11-20T10:00:05Z") }, settings);
}

function fixtureBody(type: string, name: string): SourceBody {
  const folder = new URL(`../src/${type}/`, import.meta.url);
  const fixture = readSourceFixtures(folder).find((candidate) => candidate.name === name);
  if (fixture === undefined) throw new Error(`no fixture ${name}`);
  return requestOf(fixture).body;
}

function fingerprints(type: string, name: string): string[] {
  return normalise(type, fixtureBody(type, name)).drafts.map(
    (draft, itemIndex) =>
      finishEvent(draft, {
        tenant: "default",
        scope: "default",
        source: type,
        integration: type,
        parserVersion: 1,
        receivedMs: 0,
        deliveryId: "d",
        itemIndex,
        hash: (text) => hash("sha256", text, "hex"),
      }).event.fingerprint,
  );
}

await t.test("a type that no source has gives nothing", async (t) => {
  t.equal(sourceByType("no-such-tool"), undefined);
  t.equal(sourceByType("__proto__"), undefined);
});

await t.test("an alert that comes by Alertmanager's webhook and by API v2 is one alert and one episode", async (t) => {
  const [byWebhook] = fingerprints("alertmanager", "firing");
  const [byPost] = fingerprints("alertmanager", "posted-firing");
  t.equal(byPost, byWebhook);
  t.equal(fingerprints("alertmanager", "posted-resolved")[0], byWebhook);
  const [webhook] = normalise("alertmanager", fixtureBody("alertmanager", "firing")).drafts;
  const [post] = normalise("alertmanager", fixtureBody("alertmanager", "posted-firing")).drafts;
  t.equal(post?.episode_id, webhook?.episode_id);
});

await t.test(
  "a coming end is a dead-man time in API v2, and nothing in a webhook, which repeats too seldom",
  async (t) => {
    const endsAt = "2026-11-20T10:04:00Z";
    const labels = { alertname: "A" };
    const [posted] = normalise("alertmanager", { kind: "json", value: [{ labels, endsAt }] }).drafts;
    t.match(posted, { status: "firing", expires_ms: Date.parse(endsAt) });
    const body = { alerts: [{ status: "firing", labels, endsAt }] };
    const [member] = normalise("alertmanager", { kind: "json", value: body }).drafts;
    t.match(member, { status: "firing", expires_ms: undefined });
  },
);

await t.test("an end a year away or more means no end, and an end that has come means resolved", async (t) => {
  const labels = { alertname: "A" };
  const at = (endsAt: string) => normalise("alertmanager", { kind: "json", value: [{ labels, endsAt }] }).drafts[0];
  t.match(at("2099-01-01T00:00:00Z"), { status: "firing", expires_ms: undefined });
  t.match(at("2026-11-20T10:00:05Z"), { status: "resolved", ended_ms: Date.parse("2026-11-20T10:00:05Z") });
  t.match(at("0001-01-01T00:00:00Z"), { status: "firing", ended_ms: undefined, expires_ms: undefined });
});

await t.test(
  "every severity word of a table is found in any letter case, and no other word is guessed at",
  async (t) => {
    const severity = (word: string) =>
      normalise("alertmanager", { kind: "json", value: [{ labels: { alertname: "A", severity: word } }] });
    const expected = { critical: "page", error: "Major", warning: "MINOR", info: "none", unknown: "unknown" };
    for (const [want, word] of Object.entries(expected)) {
      t.equal(severity(word).drafts[0]?.severity, want, word);
      t.equal(severity(word).drafts[0]?.severity_source, word);
      t.strictSame(severity(word).warnings, [], word);
    }
    t.match(severity("criticalish"), { drafts: [{ severity: "unknown" }], warnings: [{ code: "unknown_severity" }] });
  },
);

await t.test("a body with very many faults tells a hundred of them and counts the others", async (t) => {
  const value = Array.from({ length: 150 }, (_, n) => ({ labels: { alertname: `A${n}`, severity: "odd" } }));
  const { drafts, warnings } = normalise("alertmanager", { kind: "json", value });
  t.equal(drafts.length, 150);
  t.equal(warnings.length, 101);
  t.match(warnings.at(-1), { code: "more_warnings", message: "50 more warnings" });
});

await t.test("Datadog's scope makes one alert in whatever order its tags come", async (t) => {
  t.strictSame(fingerprints("datadog", "resolved-form"), fingerprints("datadog", "firing"));
  t.strictSame(fingerprints("datadog", "resolved"), fingerprints("datadog", "firing"));
  t.strictSame(fingerprints("datadog", "warn"), fingerprints("datadog", "firing"));
});

await t.test("Nagios names are understood as the README writes them and as the macros are called", async (t) => {
  const plain = { notification_type: "PROBLEM", host: "h", service: "s", state: "WARNING", problem_id: "4" };
  const macros = {
    NOTIFICATIONTYPE: "PROBLEM",
    HostName: "h",
    SERVICEDESC: "s",
    SERVICESTATE: "WARNING",
    SERVICEPROBLEMID: "4",
  };
  const [left] = normalise("nagios", { kind: "json", value: plain }).drafts;
  const [right] = normalise("nagios", { kind: "json", value: macros }).drafts;
  t.strictSame(right, left);
  t.match(left, { severity: "warning", episode_id: "4", host: "h", service: "s" });
});

await t.test("a Nagios service is not judged by the state of its host", async (t) => {
  const value = {
    notification_type: "PROBLEM",
    host: "h",
    servicedesc: "s",
    hoststate: "UP",
    servicestate: "CRITICAL",
  };
  t.match(normalise("nagios", { kind: "json", value }).drafts, [{ status: "firing", severity: "critical" }]);
});

await t.test("Zabbix' local time is mended for zones of half hours and west of Greenwich", async (t) => {
  const at = (wall: string, now: string, sent: string) => {
    const [event_date, event_time] = wall.split(" ");
    const [now_date, now_time] = now.split(" ");
    const sent_at = Date.parse(sent) / 1000;
    const value = {
      event_id: "1",
      event_value: "1",
      trigger_id: "2",
      event_date,
      event_time,
      now_date,
      now_time,
      sent_at,
    };
    return normalise("zabbix", { kind: "json", value }).drafts[0];
  };
  const want = { occurred_ms: Date.parse("2026-11-20T10:00:00Z"), time_quality: "offset_derived" };
  t.match(at("2026.11.20 15:30:00", "2026.11.20 15:30:04", "2026-11-20T10:00:05Z"), want);
  t.match(at("2026.11.20 02:00:00", "2026.11.20 02:00:04", "2026-11-20T10:00:05Z"), want);
});

await t.test(
  "a configured zone counts with its summer time, and one that does not exist is not guessed at",
  async (t) => {
    const at = (event_date: string, timeZone: string) => {
      const value = { event_id: "1", event_value: "1", trigger_id: "2", event_date, event_time: "12:00:00" };
      return normalise("zabbix", { kind: "json", value }, { timeZone }).drafts[0];
    };
    t.match(at("2026.01.20", "Europe/Berlin"), {
      occurred_ms: Date.parse("2026-01-20T11:00:00Z"),
      time_quality: "assumed_zone",
    });
    t.match(at("2026.07.20", "Europe/Berlin"), { occurred_ms: Date.parse("2026-07-20T10:00:00Z") });
    t.match(at("2026.07.20", "-03:30"), { occurred_ms: Date.parse("2026-07-20T15:30:00Z") });
    t.match(at("2026.07.20", "UTC"), { occurred_ms: Date.parse("2026-07-20T12:00:00Z") });
    t.match(at("2026.07.20", "Mars/Olympus"), { occurred_ms: undefined, time_quality: "received" });
  },
);
