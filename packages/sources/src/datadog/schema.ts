import { Type } from "typebox";

/** Text, or a number where a template leaves the quotes out. */
const Field = Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Null()]));

/**
 * The payload of our template, one field per variable of https://docs.datadoghq.com/integrations/webhooks/, as JSON or
 * "encoded as form"; and the payload that Datadog sends when no template is set (`body`, `title`, `org`).
 */
export const bodySchema = Type.Object({
  /** $ALERT_ID: the monitor. */
  alert_id: Field,
  /** $ALERT_SCOPE: the tags of the group that triggered. */
  alert_scope: Field,
  /** $ALERT_CYCLE_KEY: the same from trigger to recovery. */
  alert_cycle_key: Field,
  /** $ALERT_TRANSITION: Triggered, Recovered, Warn, No Data … */
  alert_transition: Field,
  /** $ALERT_TYPE: error, warning, success, info. */
  alert_type: Field,
  /** $ALERT_PRIORITY: P1 to P5, of the monitor. */
  alert_priority: Field,
  /** $ALERT_TITLE */
  alert_title: Field,
  /** $ALERT_METRIC */
  alert_metric: Field,
  /** $ALERT_QUERY */
  alert_query: Field,
  /** $ALERT_STATUS: a summary with values. */
  alert_status: Field,
  /** $AGGREG_KEY */
  aggreg_key: Field,
  /** $ID: the event. */
  id: Field,
  /** $EVENT_TITLE */
  event_title: Field,
  /** $EVENT_MSG or $TEXT_ONLY_MSG */
  event_msg: Field,
  /** $EVENT_TYPE */
  event_type: Field,
  /** $HOSTNAME */
  hostname: Field,
  /** $TAGS */
  tags: Field,
  /** $LINK */
  link: Field,
  /** $SNAPSHOT */
  snapshot: Field,
  /** $DATE: epoch ms. */
  date: Field,
  /** $USER */
  user: Field,
  /** $ORG_ID */
  org_id: Field,
  /** Default payload: the event's text. */
  body: Field,
  /** Default payload: the event's title. */
  title: Field,
  /** Default payload: the organisation. */
  org: Type.Optional(Type.Object({ id: Field })),
});
