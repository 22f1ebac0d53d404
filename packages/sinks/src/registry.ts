import { logSink } from "./log/index.ts";
import { serviceNow } from "./servicenow/index.ts";
import type { SinkType } from "./sink-type.ts";

/** Every kind of destination. The contract suite holds this list and the folders equal. */
export const sinkTypes: readonly SinkType[] = [serviceNow, logSink];

/** The kind of that name, or undefined. */
export function sinkTypeOf(name: string): SinkType | undefined {
  return sinkTypes.find((sink) => sink.type === name);
}
