/** The product's HTTP API as a reader sees it. */
export interface Api {
  get<Value>(path: string): Promise<{ readonly status: number; readonly value: Value }>;
  /** Every item of a list, page by page. */
  all<Item>(path: string): Promise<Item[]>;
}

export interface ApiIncident {
  readonly id: string;
  readonly number: number;
  readonly state: string;
  readonly group_key: readonly { readonly k: string; readonly v: string }[];
  readonly rule: { readonly id: string };
  readonly member_count: number;
  readonly open_member_count: number;
  readonly deliveries: readonly ApiDelivery[];
}

export interface ApiDelivery {
  readonly incident_id: string;
  readonly destination: string;
  readonly generation: number;
  readonly delivery_state: string;
  readonly desired_version: number;
  readonly applied_version: number;
  readonly remote_id: string | null;
  readonly attempts: number;
  readonly last_error: { readonly code: string; readonly message: string } | null;
}

export interface ApiAlert {
  readonly fingerprint: string;
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, readonly string[]>>;
  readonly incident_id: string | null;
}

export interface ApiMember {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, readonly string[]>>;
  readonly episode: { readonly id: string };
}

export interface ApiAccounting {
  readonly accepted: number;
  readonly in_flight: number;
  readonly outcomes: Readonly<Record<string, number>>;
}

export function openApi(url: string, token: string): Api {
  const get = async <Value>(path: string) => {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    return { status: response.status, value: (await response.json()) as Value };
  };
  return {
    get,
    all: async <Item>(path: string) => {
      const items: Item[] = [];
      const joint = path.includes("?") ? "&" : "?";
      for (let cursor: string | null = ""; cursor !== null; ) {
        const page: { status: number; value: { items: Item[]; next_cursor: string | null } } = await get(
          `${path}${joint}limit=500${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`,
        );
        if (page.status !== 200) throw new Error(`GET ${path} answered ${page.status}`);
        items.push(...page.value.items);
        cursor = page.value.next_cursor;
      }
      return items;
    },
  };
}
