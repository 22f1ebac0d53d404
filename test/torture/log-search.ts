import { join } from "node:path";
import { readSegments } from "@winnow/adapters/log-segment";
import type { EventsRecord } from "@winnow/contracts";

const partitions = 4;

/** What a log holds of the senders' messages. */
export interface LogContents {
  /** How often each message stands in it, by `messageKey`. */
  readonly messages: ReadonlyMap<string, number>;
  /** Fingerprint of each alert. */
  readonly fingerprints: ReadonlyMap<string, string>;
}

/** Names a message: one send, one alert; junk has no alert. */
export function messageKey(send: string, tid: string): string {
  return `${send} ${tid}`;
}

/** Reads the log of a stopped product, or of a copy, below its data directory. */
export async function searchLog(dataDir: string): Promise<LogContents> {
  const messages = new Map<string, number>();
  const fingerprints = new Map<string, string>();
  for (let partition = 0; partition < partitions; partition += 1) {
    for await (const { value } of readSegments(join(dataDir, "log"), "alerts", partition)) {
      if (value.kind !== "events") continue;
      for (const item of value.items) {
        const found = readItem(item);
        const key = messageKey(found.send, found.tid);
        messages.set(key, (messages.get(key) ?? 0) + 1);
        if (found.fingerprint !== null) fingerprints.set(found.tid, found.fingerprint);
      }
    }
  }
  return { messages, fingerprints };
}

function readItem(item: EventsRecord["items"][number]): { send: string; tid: string; fingerprint: string | null } {
  if ("type" in item) {
    return { send: sendIn(Buffer.from(item.raw_base64, "base64").toString()), tid: "junk", fingerprint: null };
  }
  const text = `${item.description ?? ""} ${Object.values(item.annotations).join(" ")}`;
  return { send: sendIn(text), tid: item.labels["tid"]?.[0] ?? "", fingerprint: item.fingerprint };
}

function sendIn(text: string): string {
  return /send=(s\d+)/.exec(text)?.[1] ?? "";
}
