import { Type } from "typebox";

/** Macros are texts; `sent_at` is a number. */
const Field = Type.Optional(Type.Union([Type.String(), Type.Number()]));

/**
 * What the script of `media_type_winnow.yaml` posts: one field per parameter, each holding the macro named beside it.
 * Macros: https://www.zabbix.com/documentation/6.0/en/manual/appendix/macros/supported_by_location
 */
export const bodySchema = Type.Object({
  /** {EVENT.SOURCE}: 0 trigger, 1 discovery, 2 autoregistration, 3 internal, 4 service. */
  event_source: Field,
  /** {EVENT.OBJECT} */
  event_object: Field,
  /** {EVENT.ID}: the problem, also in its recovery and updates. */
  event_id: Field,
  /** {EVENT.VALUE}: 1 problem, 0 recovery. */
  event_value: Field,
  /** {EVENT.UPDATE.STATUS}: 1 when a person changed the problem. */
  event_update_status: Field,
  /** {EVENT.NAME} */
  event_name: Field,
  /** {EVENT.NSEVERITY}: 0 to 5. */
  event_nseverity: Field,
  /** {EVENT.SEVERITY}: the word, which an installation may rename. */
  event_severity: Field,
  /** {EVENT.UPDATE.NSEVERITY}: of a service whose state changed. */
  event_update_nseverity: Field,
  /** {EVENT.ACK.STATUS}: Yes or No. */
  event_ack_status: Field,
  /** {EVENT.OPDATA} */
  event_opdata: Field,
  /** {EVENT.TAGSJSON} */
  event_tags_json: Field,
  /** {EVENT.DATE}, local time without a zone, as all that follow. */
  event_date: Field,
  /** {EVENT.TIME} */
  event_time: Field,
  /** {EVENT.TIMESTAMP}: epoch seconds, of newer versions; as all that follow. */
  event_timestamp: Field,
  /** {EVENT.RECOVERY.DATE} */
  event_recovery_date: Field,
  /** {EVENT.RECOVERY.TIME} */
  event_recovery_time: Field,
  /** {EVENT.RECOVERY.TIMESTAMP} */
  event_recovery_timestamp: Field,
  /** {EVENT.UPDATE.DATE} */
  event_update_date: Field,
  /** {EVENT.UPDATE.TIME} */
  event_update_time: Field,
  /** {EVENT.UPDATE.TIMESTAMP} */
  event_update_timestamp: Field,
  /** {EVENT.UPDATE.ACTION}: acknowledged, commented, changed severity from … to …, closed, suppressed until … */
  event_update_action: Field,
  /** {EVENT.UPDATE.MESSAGE} */
  event_update_message: Field,
  /** {USER.FULLNAME} */
  event_update_user: Field,
  /** {TRIGGER.ID}: one per host. */
  trigger_id: Field,
  /** {TRIGGER.DESCRIPTION} */
  trigger_description: Field,
  /** {TRIGGER.URL} */
  trigger_url: Field,
  /** {HOST.HOST}: the technical name. */
  host_host: Field,
  /** {HOST.NAME}: the visible name. */
  host_name: Field,
  /** {HOST.IP} */
  host_ip: Field,
  /** {HOST.ID} */
  host_id: Field,
  /** {TRIGGER.HOSTGROUP.NAME} */
  host_groups: Field,
  /** {ITEM.ID} */
  item_id: Field,
  /** {ITEM.KEY} */
  item_key: Field,
  /** {ITEM.VALUE} */
  item_value: Field,
  /** {SERVICE.ID} of a service problem. */
  service_id: Field,
  /** {SERVICE.NAME} */
  service_name: Field,
  /** {$ZABBIX.URL} */
  zabbix_url: Field,
  /** {DATE}: when the message was made, local time. */
  now_date: Field,
  /** {TIME} */
  now_time: Field,
  /** Epoch seconds at the same moment, by the script. */
  sent_at: Field,
  /** What tells apart several problems of one trigger: empty, `event`, or the name of a tag. */
  correlation: Field,
  /** {ALERT.SUBJECT} */
  subject: Field,
  /** {ALERT.MESSAGE} */
  message: Field,
});
export type ZabbixField = keyof typeof bodySchema.properties;
