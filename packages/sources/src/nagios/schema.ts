import { Type } from "typebox";

/** Text; JSON senders may leave numbers as numbers. */
const Field = Type.Optional(Type.Union([Type.String(), Type.Number()]));

/**
 * What our notification command sends, as a form or as JSON. Names are read without regard to case, `_` and `-`, and the
 * names of the macros themselves are understood too: `SERVICEDESC` is `service`.
 * Macros: https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html
 */
export const bodySchema = Type.Object({
  /** $NOTIFICATIONTYPE$ */
  notification_type: Field,
  /** $HOSTNAME$ */
  host: Field,
  /** $SERVICEDESC$; empty for a host check. */
  service: Field,
  /** $SERVICESTATE$ or $HOSTSTATE$ */
  state: Field,
  /** $SERVICESTATETYPE$ or $HOSTSTATETYPE$: HARD or SOFT. */
  state_type: Field,
  /** $LASTSERVICESTATE$ or $LASTHOSTSTATE$ */
  last_state: Field,
  /** $SERVICEOUTPUT$ or $HOSTOUTPUT$ */
  output: Field,
  /** $LONGSERVICEOUTPUT$ or $LONGHOSTOUTPUT$ */
  long_output: Field,
  /** $SERVICEPERFDATA$ or $HOSTPERFDATA$ */
  perfdata: Field,
  /** $SERVICEPROBLEMID$ or $HOSTPROBLEMID$ */
  problem_id: Field,
  /** $LASTSERVICEPROBLEMID$ or $LASTHOSTPROBLEMID$ */
  last_problem_id: Field,
  /** $LASTSERVICESTATECHANGE$ or $LASTHOSTSTATECHANGE$, epoch seconds. */
  last_state_change: Field,
  /** $TIMET$, epoch seconds. */
  time: Field,
  /** $HOSTADDRESS$ */
  host_address: Field,
  /** $HOSTALIAS$ */
  host_alias: Field,
  /** $HOSTGROUPNAMES$ */
  host_groups: Field,
  /** $SERVICEGROUPNAMES$ */
  service_groups: Field,
  /** $SERVICEACKAUTHOR$ or $HOSTACKAUTHOR$; $NOTIFICATIONAUTHOR$ where no shell is in between. */
  author: Field,
  /** $SERVICEACKCOMMENT$ or $HOSTACKCOMMENT$; $NOTIFICATIONCOMMENT$ where no shell is in between. */
  comment: Field,
  /** $SERVICENOTESURL$ or $HOSTNOTESURL$ */
  notes_url: Field,
  /** $SERVICEACTIONURL$ or $HOSTACTIONURL$ */
  action_url: Field,
  /** Name of the monitoring site, where several use the same host names. */
  site: Field,
  /** prod, staging … */
  environment: Field,
  /** Who looks after it. */
  team: Field,
});
export type NagiosField = keyof typeof bodySchema.properties;
