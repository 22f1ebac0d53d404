import type { EngineRecord, Topic } from "@winnow/contracts";
import { engineVersion } from "@winnow/core";
import { WinnowError } from "@winnow/platform";
import type { Clock, CommitMeta, EventLog } from "@winnow/ports";

const readBytes = 1024 * 1024;

/**
 * The engine version that decides the record at a stored position. Where the commit is of an older engine and was handed
 * over in good order, this program's engine decides from there on. Where it was not, the older engine may have published
 * what it decided behind the commit: then an engine record is appended, unless one waits, and this engine decides from
 * that on; what lies before it is the older one's to finish. Throws `engine_too_old` for the commit of a newer engine.
 */
export async function startingEngine(
  at: { readonly topic: Topic; readonly partition: number },
  { meta, handedOver }: { readonly meta: CommitMeta | null; readonly handedOver: boolean },
  { log, clock }: { readonly log: EventLog; readonly clock: Clock },
): Promise<number> {
  const stored = meta?.engine_version ?? engineVersion;
  if (stored > engineVersion) throw tooOld(`engine version ${stored} has decided here`);
  if (meta === null || stored === engineVersion || handedOver) return engineVersion;
  if (!(await engineRecordWaits(log, at, meta.position))) {
    const value: EngineRecord = { kind: "engine", at_ms: clock.now(), version: engineVersion };
    await log.append(at.topic, at.partition, [{ value, events: 0 }]);
  }
  return stored;
}

/** The engine that decided where nothing is stored that names one. */
const firstEngineVersion = 1;

/**
 * True when nobody can go on before what `engine` decides with an older one: the window store may lose its commit, and
 * then the stored checkpoint tells who decides; without one the first engine may.
 */
export function namesEngine(checkpoint: CommitMeta | null, engine: number): boolean {
  return (checkpoint?.engine_version ?? firstEngineVersion) >= engine;
}

async function engineRecordWaits(
  log: EventLog,
  { topic, partition }: { readonly topic: Topic; readonly partition: number },
  from: number,
): Promise<boolean> {
  for (let offset = from; ; ) {
    const records = await log.read(topic, partition, offset, readBytes);
    const last = records.at(-1);
    if (last === undefined) return false;
    if (records.some(({ value }) => value.kind === "engine" && value.version >= engineVersion)) return true;
    offset = last.offset + 1;
  }
}

/** The program has to be a newer one. */
export function tooOld(message: string): WinnowError {
  return new WinnowError("engine_too_old", message, { fields: { engine: engineVersion } });
}

/** The program has to be the older one for a last time: it has not decided all that lies before the engine record. */
export function tooNew(older: number): WinnowError {
  const message = `Winnow was upgraded after an unclean stop, and records wait that its engine version ${older} has to decide`;
  return new WinnowError("engine_too_new", message, { fields: { engine: engineVersion, older } });
}
