import { Type } from "typebox";

const StringMap = Type.Record(Type.String(), Type.String());

/** A member of a webhook notification, version 4: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
const WebhookAlert = Type.Object({
  status: Type.Enum(["firing", "resolved"] as const),
  labels: StringMap,
  annotations: Type.Optional(StringMap),
  /** RFC 3339; identical in every notification of one occurrence. */
  startsAt: Type.Optional(Type.String()),
  /** Year 1 while it fires. */
  endsAt: Type.Optional(Type.String()),
  generatorURL: Type.Optional(Type.String()),
});

/** What `webhook_configs` posts. */
const WebhookBody = Type.Object({
  alerts: Type.Array(WebhookAlert),
  groupKey: Type.Optional(Type.String()),
  externalURL: Type.Optional(Type.String()),
  /** How many alerts Alertmanager left out because of `max_alerts`. */
  truncatedAlerts: Type.Optional(Type.Integer()),
});

/** What Prometheus, vmalert, Loki, Mimir and amtool post to `/api/v2/alerts`. */
const PostedAlert = Type.Object({
  labels: StringMap,
  annotations: Type.Optional(StringMap),
  startsAt: Type.Optional(Type.String()),
  /** In the future while it fires: when to stop believing in it. Past: it is over. */
  endsAt: Type.Optional(Type.String()),
  generatorURL: Type.Optional(Type.String()),
});

/** Both bodies. Unknown fields are welcome. */
export const bodySchema = Type.Union([WebhookBody, Type.Array(PostedAlert)]);
