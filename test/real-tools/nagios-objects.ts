/** Texts of Nagios' configuration. A `;` starts a comment in object files, so no value may hold one. */
import { join } from "node:path";

interface NagiosService {
  readonly description: string;
  readonly groups?: readonly string[];
}

export interface NagiosHost {
  readonly name: string;
  readonly alias?: string;
  /** Default: 127.0.0.1. */
  readonly address?: string;
  readonly groups?: readonly string[];
  /** Hosts on the way to this one: when all are down, this one is UNREACHABLE. */
  readonly parents?: readonly string[];
  readonly services?: readonly NagiosService[];
}

export interface NagiosObjectOptions {
  readonly workDir: string;
  readonly hosts: readonly NagiosHost[];
  /** Definitions that bring a contact called `winnow`. */
  readonly contact: string;
  readonly maxCheckAttempts: number;
  /** Seconds until a standing problem is notified again. */
  readonly notificationIntervalSeconds: number;
  readonly flapDetection: boolean;
}

export interface NagiosMainOptions {
  readonly workDir: string;
  /** Where the query socket goes: a socket's whole path has at most 107 bytes. */
  readonly socketDir: string;
  readonly user: string;
  readonly group: string;
}

/** The main file. `interval_length` 1 makes every interval count seconds. */
export function nagiosMainFile({ workDir, socketDir, user, group }: NagiosMainOptions): string {
  const at = (name: string): string => join(workDir, name);
  const settings: Readonly<Record<string, string | number>> = {
    log_file: at("nagios.log"),
    cfg_file: at("objects.cfg"),
    resource_file: at("resource.cfg"),
    object_cache_file: at("objects.cache"),
    precached_object_file: at("objects.precache"),
    status_file: at("status.dat"),
    state_retention_file: at("retention.dat"),
    temp_file: at("nagios.tmp"),
    temp_path: workDir,
    check_result_path: at("checkresults"),
    command_file: at("nagios.cmd"),
    lock_file: at("nagios.lock"),
    query_socket: join(socketDir, "nagios.qh"),
    nagios_user: user,
    nagios_group: group,
    admin_email: "nagios@nagios.example",
    check_external_commands: 1,
    check_workers: 2,
    interval_length: 1,
    enable_notifications: 1,
    enable_flap_detection: 1,
    use_syslog: 0,
    check_for_updates: 0,
    cached_host_check_horizon: 0,
    illegal_macro_output_chars: "`~$&|'\"<>",
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

/** The file in which a host's or a service's state is written: its exit code in the first line, then its output. */
export function nagiosStateFile(workDir: string, host: number, service?: number): string {
  return join(workDir, "states", service === undefined ? `host-${host}` : `service-${host}-${service}`);
}

/** All objects: the contact, and per host and service a check that reads its state file. */
export function nagiosObjects(options: NagiosObjectOptions): string {
  const { workDir, hosts, contact, flapDetection } = options;
  const days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
  const watched = {
    max_check_attempts: String(options.maxCheckAttempts),
    check_interval: "1",
    retry_interval: "1",
    check_period: "24x7",
    contacts: "winnow",
    notification_interval: String(options.notificationIntervalSeconds),
    notification_period: "24x7",
    flap_detection_enabled: flapDetection ? "1" : "0",
  };
  const groups = (kind: "hostgroup" | "servicegroup", names: readonly string[]): string[] =>
    [...new Set(names)].map((name) => block(kind, { [`${kind}_name`]: name, alias: name }));
  const services = hosts.flatMap((host) => host.services ?? []);
  return [
    block("timeperiod", {
      timeperiod_name: "24x7",
      alias: "always",
      ...Object.fromEntries(days.map((day) => [day, "00:00-24:00"])),
    }),
    block("command", { command_name: "check_file", command_line: `/bin/sh ${join(workDir, "check.sh")} $ARG1$` }),
    contact,
    ...groups(
      "hostgroup",
      hosts.flatMap((host) => host.groups ?? []),
    ),
    ...groups(
      "servicegroup",
      services.flatMap((service) => service.groups ?? []),
    ),
    ...hosts.flatMap((host, index) => [
      block("host", {
        host_name: host.name,
        alias: host.alias ?? host.name,
        address: host.address ?? "127.0.0.1",
        ...list("hostgroups", host.groups),
        ...list("parents", host.parents),
        check_command: `check_file!${nagiosStateFile(workDir, index)}`,
        notification_options: "d,u,r,f,s",
        ...watched,
      }),
      ...(host.services ?? []).map((service, number) =>
        block("service", {
          host_name: host.name,
          service_description: service.description,
          ...list("servicegroups", service.groups),
          check_command: `check_file!${nagiosStateFile(workDir, index, number)}`,
          notification_options: "w,u,c,r,f,s",
          ...watched,
        }),
      ),
    ]),
  ].join("\n");
}

function list(key: string, names: readonly string[] | undefined): Record<string, string> {
  return names === undefined || names.length === 0 ? {} : { [key]: names.join(",") };
}

/** One definition. Nagios wants no directive on the line that opens it. */
function block(kind: string, directives: Readonly<Record<string, string>>): string {
  const lines = Object.entries(directives).map(([key, value]) => {
    if (value.includes(";")) {
      throw new Error(`Nagios would cut ${kind}.${key} at the semicolon: ${value}`);
    }
    return `  ${key} ${value}`;
  });
  return [`define ${kind} {`, ...lines, "}", ""].join("\n");
}
