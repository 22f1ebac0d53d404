import type { Client } from "./client.ts";

interface StreamedEvent {
  readonly event: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventStream {
  /** The next event for which `fits` holds; those before it are left out. Rejects when none comes in time. */
  next(what: string, fits?: (event: StreamedEvent) => boolean): Promise<StreamedEvent>;
  close(): void;
}

const patienceMs = 15_000;

/** Follows /v1/events, as a browser's EventSource would; `lastId` resumes. Resolves when the stream is open. */
export async function followEvents(client: Client, token: string, lastId?: string): Promise<EventStream> {
  const stop = new AbortController();
  const response = await fetch(new URL("/v1/events", client.url), {
    signal: stop.signal,
    headers: { authorization: `Bearer ${token}`, ...(lastId === undefined ? {} : { "last-event-id": lastId }) },
  });
  if (response.status !== 200 || response.body === null) throw new Error(`/v1/events answered ${response.status}`);
  const events = parse(response.body.pipeThrough(new TextDecoderStream()));
  return {
    next: async (what, fits = () => true) => {
      const timer = setTimeout(() => stop.abort(new Error(`no event in ${patienceMs} ms: ${what}`)), patienceMs);
      try {
        for (;;) {
          const { value, done } = await events.next();
          if (done === true) throw new Error(`the stream ended: ${what}`);
          if (fits(value)) return value;
        }
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => {
      stop.abort();
    },
  };
}

async function* parse(chunks: ReadableStream<string>): AsyncGenerator<StreamedEvent> {
  let text = "";
  for await (const chunk of chunks) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const field = fieldsOf(text.slice(0, end));
      text = text.slice(end + 2);
      const data = field.get("data");
      if (data === undefined) continue;
      const event = field.get("event") ?? "message";
      yield { event, id: field.get("id") ?? "", data: JSON.parse(data) as Record<string, unknown> };
    }
  }
}

function fieldsOf(block: string): ReadonlyMap<string, string> {
  return new Map(
    block.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
    }),
  );
}
