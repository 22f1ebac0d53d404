export { type Fault, type FaultKind, faultKinds, type Operation } from "./fake/faults.ts";
export type { LedgerEntry } from "./fake/ledger.ts";
export type { FakeOptions, FakeServer } from "./fake/server.ts";
export * from "./fakes.ts";
export * from "./registry.ts";
export type { FakeTicket, SinkContext, SinkFake, SinkLog, SinkType } from "./sink-type.ts";
