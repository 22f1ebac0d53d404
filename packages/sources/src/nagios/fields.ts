import { type Fields, ownField, textOf } from "../reading.ts";
import { bodySchema, type NagiosField } from "./schema.ts";

/** Names of a field beside its own, folded; the first that is not blank counts. */
const aliases: Readonly<Partial<Record<NagiosField, readonly string[]>>> = {
  notification_type: ["type"],
  host: ["hostname"],
  service: ["servicedesc", "servicedescription"],
  time: ["timet"],
  host_groups: ["hostgroupnames"],
  service_groups: ["servicegroupnames"],
  author: ["notificationauthor"],
  comment: ["notificationcomment"],
};

/** Fields that are macros of the service in one notification and of the host in another. */
const objectAliases: Readonly<Partial<Record<NagiosField, (object: "service" | "host") => string>>> = {
  state: (object) => `${object}state`,
  state_type: (object) => `${object}statetype`,
  last_state: (object) => `last${object}state`,
  output: (object) => `${object}output`,
  long_output: (object) => `long${object}output`,
  perfdata: (object) => `${object}perfdata`,
  problem_id: (object) => `${object}problemid`,
  last_problem_id: (object) => `last${object}problemid`,
  last_state_change: (object) => `last${object}statechange`,
  author: (object) => `${object}ackauthor`,
  comment: (object) => `${object}ackcomment`,
  notes_url: (object) => `${object}notesurl`,
  action_url: (object) => `${object}actionurl`,
};

const fieldNames = Object.keys(bodySchema.properties) as NagiosField[];
/** `label_team=payments` gives the label `team`. */
const labelPrefix = /^label_(.+)$/i;
/** A macro that Nagios did not know stays as it was written. */
const unresolved = /^\$[A-Z_]\w*\$$/i;

export interface NagiosFields {
  get(name: NagiosField): string | undefined;
  /** The sender's own labels. */
  readonly labels: readonly (readonly [string, string])[];
}

/** Reads the fields of a notification under any of their names. */
export function readFields(body: Fields): NagiosFields {
  const folded = new Map<string, string>();
  const labels: [string, string][] = [];
  for (const name of Object.keys(body).toSorted()) {
    const text = textOf(ownField(body, name));
    if (text === undefined || unresolved.test(text.trim())) continue;
    const label = labelPrefix.exec(name)?.[1];
    if (label !== undefined) labels.push([label, text]);
    else if (!folded.has(fold(name))) folded.set(fold(name), text);
  }
  const values = new Map<NagiosField, string>();
  const first = (names: readonly string[]): string | undefined =>
    names.map((name) => folded.get(name)).find((text) => text !== undefined);
  const object = first(["service", ...(aliases.service ?? [])]) === undefined ? "host" : "service";
  for (const name of fieldNames) {
    const ofObject = objectAliases[name]?.(object);
    const text = first([fold(name), ...(aliases[name] ?? []), ...(ofObject === undefined ? [] : [ofObject])]);
    if (text !== undefined) values.set(name, text);
  }
  return { get: (name) => values.get(name), labels };
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, "");
}
