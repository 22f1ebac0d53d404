/** What the tests read of the API's answers. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

interface Reason {
  readonly code: string;
  readonly text: string;
  readonly rule_id?: string;
}

export interface Delivery {
  readonly incident_id: string;
  readonly destination: string;
  readonly delivery_state: string;
  readonly desired_version: number;
  readonly applied_version: number;
  readonly remote_id: string | null;
}

export interface Incident {
  readonly id: string;
  readonly number: number;
  readonly state: string;
  readonly priority: string;
  readonly severity: string;
  readonly title: string;
  readonly service: string | null;
  readonly environment: string | null;
  readonly rule: { readonly id: string; readonly digest: string };
  readonly group_key: readonly { readonly k: string; readonly v: string }[];
  readonly acknowledged_at: string | null;
  readonly member_count: number;
  readonly open_member_count: number;
  readonly version: number;
  readonly deliveries: readonly Delivery[];
}

export interface Member {
  readonly fingerprint: string;
  readonly status: string;
  readonly title: string;
  readonly host: string | null;
  readonly reason: Reason;
}

export interface Accounting {
  readonly accepted: number;
  readonly in_flight: number;
  readonly outcomes: Readonly<Record<string, number>>;
}
