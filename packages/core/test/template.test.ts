import type { AlertFacts } from "@winnow/contracts";
import { fieldValues, hasStrayBraces, parseField, renderTitle, templateFields, titleLengthMax } from "@winnow/core";
import fc from "fast-check";
import t from "tap";

function facts(more: Partial<AlertFacts> = {}): AlertFacts {
  return {
    tenant: "default",
    scope: "default",
    source: "alertmanager",
    integration: "prom",
    fingerprint: "0".repeat(32),
    severity: "critical",
    title: "Disk full",
    dedup_key: "d",
    identity: [
      { k: "alertname", v: "DiskFull" },
      { k: "mount", v: "/" },
    ],
    labels: { team: ["db"], tag: ["a", "b"], empty: [""], "app.kubernetes.io/name": ["pg"] },
    annotations: { summary: "full" },
    links: [],
    ...more,
  };
}

await t.test("fields are filled in, several values side by side, a missing one as a question mark", async (t) => {
  const of = (template: string, more?: Partial<AlertFacts>): string => renderTitle(template, facts(more));
  t.equal(of("{{service}}: {{title}}", { service: "pg" }), "pg: Disk full");
  t.equal(of("{{service}}: {{title}}"), "?: Disk full");
  t.equal(of("{{ labels.team }}/{{labels.tag}}"), "db/a, b");
  t.equal(of("{{labels.app.kubernetes.io/name}} {{identity.mount}} {{annotations.summary}}"), "pg / full");
  t.equal(of("{{labels.empty}}{{labels.nope}}{{resource.x}}{{nonsense}}"), "????");
  t.equal(of("no fields"), "no fields");
});

await t.test("a value is text: braces in it are never rendered again", async (t) => {
  t.equal(renderTitle("{{title}}", facts({ title: "{{service}} {{title}}", service: "s" })), "{{service}} {{title}}");
  t.equal(renderTitle("{{title}}", facts({ title: "costs $1 $& $$" })), "costs $1 $& $$");
});

await t.test("a label may have the name of something that every object has", async (t) => {
  t.equal(renderTitle("{{labels.constructor}} {{labels.toString}}", facts()), "? ?");
  t.equal(renderTitle("{{labels.constructor}}", facts({ labels: { constructor: ["x"] } })), "x");
});

await t.test("line breaks and control characters become one space", async (t) => {
  t.equal(renderTitle("{{title}}", facts({ title: " a\r\n\tb\u0000c\u2028d " })), "a b c d");
});

await t.test("a title is never longer than its limit and never ends in half a character", async (t) => {
  t.equal(renderTitle("{{title}}", facts({ title: "x".repeat(255) })).length, 255);
  const cut = renderTitle("{{title}}", facts({ title: "x".repeat(256) }));
  t.equal(cut, `${"x".repeat(254)}…`);
  t.equal(renderTitle("{{title}}", facts({ title: `${"x".repeat(253)}🔥🔥` })), `${"x".repeat(253)}…`);
  fc.assert(
    fc.property(fc.string({ maxLength: 400, unit: "grapheme" }), fc.string({ maxLength: 200 }), (title, service) => {
      const text = renderTitle("{{service}} {{title}} {{service}}", facts({ title, service }));
      return text.length <= titleLengthMax && text.isWellFormed();
    }),
  );
});

await t.test("a template's fields and stray braces are found", async (t) => {
  t.same(templateFields("{{a}} {{ b.c }} {{}} {d}"), ["a", "b.c", ""]);
  for (const text of ["{{a", "a}}", "{{{a}}}", "{{a{{b}}"]) t.ok(hasStrayBraces(text), text);
  for (const text of ["{{a}}", "{a}", "no", ""]) t.notOk(hasStrayBraces(text), text);
});

await t.test("only known fields are understood", async (t) => {
  t.same(parseField("labels.a.b"), { kind: "keyed", name: "labels", key: "a.b" });
  t.same(parseField("service"), { kind: "plain", name: "service" });
  for (const field of ["", "labels", "labels.", ".a", "fingerprint", "constructor", "label.x", "service.x"]) {
    t.equal(parseField(field), null, field);
  }
  t.same(fieldValues(facts(), { kind: "keyed", name: "labels", key: "tag" }), ["a", "b"]);
  t.same(fieldValues(facts({ service: "" }), { kind: "plain", name: "service" }), []);
});
