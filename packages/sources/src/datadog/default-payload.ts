import { commaList } from "../reading.ts";

/** What can be read from the payload that Datadog sends when no template is set. */
export interface DefaultPayload {
  readonly monitorId: string | undefined;
  readonly transition: string | undefined;
  /** undefined: the title names no group, and it may be that it never does. */
  readonly scope: readonly string[] | undefined;
  readonly priority: string | undefined;
  /** The event's title as it came. */
  readonly title: string;
}

const bracket = /^\s*\[([^\]]*)\]\s*/;

/**
 * Reads `[P2] [Triggered on {host:web-01}] CPU high` and the links to the monitor in the text. Undefined when neither
 * `title` nor `body` is there.
 */
export function readDefaultPayload(set: ReadonlyMap<string, string>): DefaultPayload | undefined {
  const title = set.get("title");
  const body = set.get("body");
  if (title === undefined && body === undefined) return undefined;
  const heads = prefixes(title ?? "");
  const state = heads
    .map((head) => /^([A-Za-z][A-Za-z -]*?)(?: on \{(.*)\})?$/.exec(head))
    .find((match) => match !== null);
  return {
    monitorId: /\/monitors\/(\d+)/.exec(body ?? "")?.[1],
    transition: state?.[1],
    scope: state?.[2] === undefined ? undefined : commaList(state[2]),
    priority: heads.find((head) => /^P[1-5]$/.test(head)),
    title: title ?? "Datadog event",
  };
}

/** A title without the `[…]` that Datadog puts before it: they hold the state and the group. */
export function withoutPrefixes(title: string): string {
  let rest = title;
  for (let match = bracket.exec(rest); match !== null && isPrefix(match[1] ?? ""); match = bracket.exec(rest))
    rest = rest.slice(match[0].length);
  return rest.trim() === "" ? title : rest.trim();
}

function prefixes(title: string): string[] {
  const heads: string[] = [];
  let rest = title;
  for (let match = bracket.exec(rest); match !== null; match = bracket.exec(rest)) {
    heads.push(match[1] ?? "");
    rest = rest.slice(match[0].length);
  }
  return heads;
}

function isPrefix(head: string): boolean {
  return /^P[1-5]$/.test(head) || /^(?:Re-)?(?:Triggered|Recovered|Warn|No data|Renotify)\b/i.test(head);
}
