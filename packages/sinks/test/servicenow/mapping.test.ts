import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { reason } from "@winnow/contracts";
import type { TicketContent } from "@winnow/ports";
import { ticketBeganMs, ticketContent, ticketMember, ticketNote } from "@winnow/testkit";
import fc from "fast-check";
import t from "tap";
import {
  correlationIdOf,
  createFields,
  type Fields,
  type MappingSettings,
  namesReference,
  planUpdate,
  type ServiceNowRecord,
  shows,
} from "../../src/servicenow/mapping.ts";
import { lengthOf } from "../../src/text.ts";

const settings: MappingSettings = {
  close_code: "Solution provided",
  contact_type: "monitoring",
  business_service: true,
  fields: {},
};

const opener = ticketMember({
  title: "Error rate above 5 %",
  host: "web-1",
  severity: "critical",
  opens: true,
  links: [
    { href: "https://grafana.example/d/1", rel: "dashboard" },
    { href: "https://runbooks.example/errors", rel: "runbook" },
    { href: "javascript:alert(1)", rel: "runbook" },
  ],
});
const joiner = ticketMember({ title: "Latency p99 above 2 s", host: "web-2", severity: "warning" });
const over = ticketMember({ title: "Disk 91 % on web-3", host: "web-3", severity: "error", resolvedMs: ticketBeganMs });

/** A ticket as ServiceNow would show it after `content` was created. */
function recordOf(content: TicketContent, more: Partial<ServiceNowRecord> = {}): ServiceNowRecord {
  const fields = createFields(content, settings);
  return {
    sys_id: "a".repeat(32),
    number: "INC0010001",
    state: fields["state"] ?? "",
    correlation_id: fields["correlation_id"] ?? "",
    description: fields["description"] ?? "",
    resolved_at: "",
    journal: fields["work_notes"] ?? "",
    ...more,
  };
}

function patchOf(record: ServiceNowRecord, content: TicketContent): Fields {
  const plan = planUpdate(record, content, settings);
  return plan.kind === "patch" ? plan.fields : {};
}

/** Compares with `fixtures/servicenow/NAME.txt`; with WINNOW_WRITE_GOLDEN set, writes it instead. */
function matchesGolden(
  t: { equal(found: string, wanted: string, message: string): boolean },
  name: string,
  fields: Fields,
) {
  const file = new URL(`../fixtures/servicenow/${name}.txt`, import.meta.url);
  const text = Object.entries(fields)
    .map(([field, value]) => `== ${field}\n${value}\n`)
    .join("\n");
  if (process.env["WINNOW_WRITE_GOLDEN"] !== undefined) {
    writeFileSync(file, text);
  }
  t.equal(text, existsSync(file) ? readFileSync(file, "utf8") : "", `${name}.txt`);
}

await t.test("contents become the fields of the golden files", async (t) => {
  const content = ticketContent({
    members: [joiner, over, opener],
    incident: { member_count: 3 },
    notes: [
      ticketNote(1, "opened", { fingerprint: opener.fingerprint }),
      ticketNote(2, "delivery"),
      ticketNote(3, "joined", { fingerprint: joiner.fingerprint }),
    ],
  });
  matchesGolden(t, "create", createFields(content, settings));
  const configured = {
    ...settings,
    caller: "Winnow",
    assignment_group: "Desk",
    fields: { category: "network", u_a: "1" },
  };
  const bare = ticketContent({
    members: [],
    predecessor: "b".repeat(32),
    incident: {
      description: "",
      category: null,
      service: null,
      environment: null,
      assignment_group: null,
      contact: null,
      group_key: [],
      member_count: 0,
      open_member_count: 0,
    },
  });
  matchesGolden(t, "create-bare-successor", createFields(bare, configured, "INC0010001"));

  const acknowledged = ticketContent({
    incident: { state: "acknowledged", priority: "P1", impact: "high" },
    notes: [
      ticketNote(4, "acknowledged", { actor: "dana", text: "looking at it" }),
      ticketNote(5, "priority_changed", { reason: reason("priority_changed", { from: "P2", to: "P1" }) }),
      ticketNote(6, "noted", { actor: "dana", text: "first line\nsecond line" }),
      ticketNote(7, "member_changed", {
        fingerprint: joiner.fingerprint,
        reason: reason("member_updated", { alert: joiner.alert.title, from: "warning", to: "critical" }),
      }),
    ],
  });
  matchesGolden(t, "update", patchOf(recordOf(content), acknowledged));

  const incident = { state: "resolved", resolved_ms: ticketBeganMs + 5_400_000, open_member_count: 0 } as const;
  const resolved = ticketContent({ incident, notes: [ticketNote(8, "member_resolved"), ticketNote(9, "resolved")] });
  matchesGolden(t, "resolve", patchOf(recordOf(content), resolved));
  const person = { actor: "dana", code: "person_resolved", text: "rolled back" } as const;
  const byPerson = ticketContent({ incident, notes: [ticketNote(9, "resolved", person)] });
  matchesGolden(t, "resolve-by-person", patchOf(recordOf(content), byPerson));
  const reopened = ticketContent({ notes: [ticketNote(10, "reopened")] });
  matchesGolden(t, "reopen", patchOf(recordOf(content, { state: "6" }), reopened));
});

await t.test("a key becomes a correlation id that fits the field and is safe in a query", async (t) => {
  t.equal(correlationIdOf("winnow:prod:i-7:snow:1"), "winnow:prod:i-7:snow:1");
  t.equal(correlationIdOf("a".repeat(100)), "a".repeat(100));
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (key) => {
      const id = correlationIdOf(key);
      return /^[A-Za-z0-9:._-]{1,100}$/.test(id) && id === correlationIdOf(key) && id !== correlationIdOf(`${key}x`);
    }),
  );
});

await t.test("no field is longer than its column, and the link back is never cut off", async () => {
  const wild = fc.string({ unit: "grapheme", maxLength: 600 }).map((text) => text.repeat(20));
  fc.assert(
    fc.property(wild, wild, fc.integer({ min: 0, max: 50 }), (first, second, count) => {
      const links = [1, 2, 3].map((n) => ({
        href: `https://x.example/${n}/${"y".repeat(270)}`,
        rel: "runbook" as const,
      }));
      const members = Array.from({ length: count }, (_, at) =>
        ticketMember({ title: `${at}${first}`, host: second, severity: "error", links }),
      );
      const content = ticketContent({
        members,
        notes: [ticketNote(1, "resolved", { text: first, actor: second })],
        incident: {
          state: "resolved",
          title: first,
          description: second,
          service: first,
          environment: second,
          contact: first,
          category: second,
          assignment_group: first,
          group_key: [{ k: first, v: second }],
          member_count: 100,
        },
      });
      const fields = createFields(content, settings);
      const lengths = {
        short_description: 160,
        description: 4000,
        category: 100,
        assignment_group: 100,
        close_notes: 1000,
      };
      return (
        Object.entries(lengths).every(([name, max]) => lengthOf(fields[name] ?? "") <= max) &&
        fields["description"]?.endsWith(content.url) === true &&
        fields["close_notes"]?.endsWith(content.url) === true
      );
    }),
    { numRuns: 30 },
  );
});

await t.test("names of references are told from sys_ids", async (t) => {
  t.equal(namesReference({ assignment_group: "c".repeat(32) }), false);
  t.equal(namesReference({ assignment_group: "Platform" }), true);
  t.equal(namesReference({ short_description: "x" }), false);
});

await t.test("what people own is left alone", async (t) => {
  const content = ticketContent();
  const update = ticketContent({
    notes: [ticketNote(1, "joined")],
    incident: { title: "other", assignment_group: "x" },
  });
  const names = Object.keys(patchOf(recordOf(content), update));
  t.strictSame(names, ["work_notes"], "title, group, impact and urgency stay");
  const rewritten = recordOf(content, { description: "We know what it is: see the bridge." });
  const changed = ticketContent({ incident: { open_member_count: 1 }, notes: [ticketNote(1, "member_resolved")] });
  t.ok(patchOf(recordOf(content), changed)["description"], "our own description is kept up to date");
  t.notOk(patchOf(rewritten, changed)["description"], "a person's is not");
  const crlf = recordOf(content, { description: recordOf(content).description.replaceAll("\n", "\r\n") });
  t.equal(planUpdate(crlf, content, settings).kind, "nothing", "line ends do not count as a change");
});

await t.test("on hold stays on hold, and only a new ticket goes in progress on acknowledge", async (t) => {
  const content = ticketContent({ incident: { state: "acknowledged" }, notes: [ticketNote(1, "acknowledged")] });
  t.equal(patchOf(recordOf(ticketContent()), content)["state"], "2");
  t.equal(patchOf(recordOf(ticketContent(), { state: "3" }), content)["state"], undefined);
});

await t.test("a ticket that a person resolved is opened again only by news", async (t) => {
  const resolved = recordOf(ticketContent(), { state: "6", resolved_at: "2026-03-01 10:05:00" });
  const stateAfter = (...notes: TicketContent["notes"]): string | undefined =>
    patchOf(resolved, ticketContent({ notes }))["state"];
  t.equal(stateAfter(ticketNote(1, "noted", { text: "x" })), undefined, "a note is no news");
  t.equal(stateAfter(ticketNote(4, "joined")), undefined, "an alert that was there before is no news");
  t.equal(stateAfter(ticketNote(6, "joined")), "2", "a new alert is");
  t.equal(stateAfter(ticketNote(1, "reopened")), "2", "so is Winnow's own reopening, whatever the clocks say");
  const shown = { ...resolved, journal: "[winnow #6] joined\n[winnow #7] reopened" };
  t.equal(planUpdate(shown, ticketContent({ notes: [ticketNote(6, "joined")] }), settings).kind, "nothing");
});

await t.test(
  "a closed ticket is gone when there is new evidence, and else stays what a person made of it",
  async (t) => {
    for (const state of ["7", "8"]) {
      const closed = recordOf(ticketContent(), { state });
      const kindAfter = (...notes: ReturnType<typeof ticketNote>[]) =>
        planUpdate(closed, ticketContent({ notes }), settings).kind;
      t.equal(kindAfter(ticketNote(5, "joined")), "gone");
      t.equal(kindAfter(ticketNote(5, "reopened")), "gone");
      t.equal(kindAfter(), "nothing");
      t.equal(kindAfter(ticketNote(5, "noted", { text: "x" }), ticketNote(6, "member_resolved")), "nothing");
      t.equal(planUpdate(closed, ticketContent({ incident: { state: "resolved" } }), settings).kind, "nothing");
    }
  },
);

await t.test("a note is taken for shown by its mark at the start of a line only", async (t) => {
  const content = ticketContent({ notes: [ticketNote(5, "joined")] });
  t.ok(shows(recordOf(ticketContent(), { journal: "2026 - x (Work notes)\n[winnow #5] y\n\n" }), content, settings));
  for (const journal of ["", "[winnow #4] y", "he wrote [winnow #5]", "  [winnow #5] y", "[winnow #50 ]"]) {
    t.notOk(shows(recordOf(ticketContent(), { journal }), content, settings), journal);
  }
});

await t.test("what an update writes, the same update finds written", async () => {
  const kinds = ["opened", "joined", "noted", "delivery", "priority_changed", "member_resolved"] as const;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...kinds), { maxLength: 8 }), fc.string(), (list, text) => {
      const notes = list.map((kind, at) => ticketNote(at + 1, kind, { text }));
      const content = ticketContent({ notes });
      const before = recordOf(ticketContent());
      const patch = patchOf(before, content);
      const after = { ...before, journal: `${patch["work_notes"] ?? ""}\n\n${before.journal}` };
      return planUpdate(after, content, settings).kind === "nothing" && shows(after, content, settings);
    }),
  );
});
