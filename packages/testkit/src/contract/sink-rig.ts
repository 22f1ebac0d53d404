import { createHttpClient } from "@winnow/platform";
import type { Clock, FoundTicket, RemoteTicket, SinkCall, SinkResult, TicketContent, TicketSink } from "@winnow/ports";
import type { FakeServer, FakeTicket, SinkContext, SinkFake, SinkType } from "@winnow/sinks";
import type { Test } from "tap";

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: () => Promise.resolve(),
};
export const call: SinkCall = { signal: new AbortController().signal, beforeSend: () => true };
interface Opened {
  readonly sink: TicketSink;
  readonly fake: FakeServer | undefined;
  readonly warnings: readonly unknown[];
}

export async function open(t: Test, type: SinkType, settings?: unknown): Promise<Opened> {
  const fake = await type.fake?.start({ listen: { host: "127.0.0.1", port: 0 } });
  const config = fake === undefined ? settings : type.fake?.config(fake.url);
  const warnings: unknown[] = [];
  const context: SinkContext = {
    destination: "snow",
    httpClient: (options) => createHttpClient({ allowNetworks: ["127.0.0.0/8"], ...options }),
    clock,
    log: { warn: (...warning) => warnings.push(warning) },
    print: () => undefined,
  };
  const sink = type.create(config, context);
  t.teardown(async () => {
    await sink.close();
    await fake?.close().catch(() => undefined);
  });
  return { sink, fake, warnings };
}

export async function openFake(
  t: Test,
  type: SinkType,
): Promise<{ readonly sink: TicketSink; readonly server: FakeServer; readonly warnings: readonly unknown[] }> {
  const { sink, fake, warnings } = await open(t, type);
  if (fake === undefined) {
    throw new Error(`${type.type} has no fake`);
  }
  return { sink, server: fake, warnings };
}

export function value<Value>(result: SinkResult<Value>): Value {
  if (result.kind !== "done") {
    throw new Error(`expected done, got ${JSON.stringify(result)}`);
  }
  return result.value;
}

export async function lookUp(sink: TicketSink, key: string): Promise<SinkResult<FoundTicket | null>> {
  if (sink.find === undefined) {
    throw new Error(`${sink.type} has no find`);
  }
  return await sink.find(key, call);
}

export async function confirm(
  sink: TicketSink,
  remote: RemoteTicket,
  content: TicketContent,
): Promise<SinkResult<boolean>> {
  if (sink.confirm === undefined) {
    throw new Error(`${sink.type} has no confirm`);
  }
  return await sink.confirm(remote, content, call);
}

export function theOne(fake: SinkFake, server: FakeServer): FakeTicket {
  const [ticket, another] = fake.tickets(server);
  if (ticket === undefined || another !== undefined) {
    throw new Error(`expected one ticket, found ${fake.tickets(server).length}`);
  }
  return ticket;
}

/** Seqs of the notes at the start of a line, as a person would count them. */
export function shownNotes(ticket: FakeTicket): readonly number[] {
  return ticket.notes.flatMap((note) => [...note.matchAll(/^\[winnow #(\d+)\]/gm)].map((found) => Number(found[1])));
}
