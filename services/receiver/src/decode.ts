import type { MappingWarning } from "@winnow/contracts";
import { parseJsonExact } from "@winnow/platform";
import type { SourceBody } from "@winnow/sources";
import { decodeText } from "./charset.ts";
import { inflateBody, isEncoded } from "./content-encoding.ts";
import { isFormMedia, isJsonMedia, multipartMedia, parseContentType } from "./content-type.ts";
import { type FormFields, parseMultipart, parseUrlEncoded } from "./form.ts";
import type { ReceiverLimits } from "./limits.ts";

/** A body as it came in. */
export interface RawBody {
  readonly bytes: Buffer;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

type DecodeFault =
  | "body_too_large"
  | "empty_body"
  | "encoding_invalid"
  | "encoding_unsupported"
  | "form_invalid"
  | "invalid_json"
  | "too_deep"
  | "unsupported_body";

export type Decoded =
  | { readonly ok: true; readonly body: SourceBody; readonly warning: MappingWarning | null }
  | { readonly ok: false; readonly fault: DecodeFault; readonly message: string };

type Kinds = readonly SourceBody["kind"][];

/** Bytes to the kind of body that the source understands, whatever the content type says. */
export async function decodeBody(raw: RawBody, accepts: Kinds, limits: ReceiverLimits): Promise<Decoded> {
  let { bytes } = raw;
  if (isEncoded(raw.contentEncoding)) {
    const inflated = await inflateBody(bytes, raw.contentEncoding, limits);
    if (!inflated.ok) return fault(inflated.fault, encodingMessages[inflated.fault]);
    bytes = inflated.bytes;
  }
  const { media, charset } = parseContentType(raw.contentType);
  if (media === multipartMedia) {
    return decodeForm(parseMultipart(bytes, raw.contentType ?? "", limits.formFields), accepts, limits);
  }
  const { text, warning } = decodeText(bytes, charset);
  const decoded = decodeKind(text, media, accepts, limits);
  return decoded.ok && warning !== null ? { ...decoded, warning } : decoded;
}

const encodingMessages = {
  body_too_large: "the body unpacks to more than the limit",
  encoding_invalid: "the body is not in the encoding that it declares",
  encoding_unsupported: "only one layer of gzip or deflate is undone",
} as const;

function fault(code: DecodeFault, message: string): Decoded {
  return { ok: false, fault: code, message };
}

function found(body: SourceBody): Decoded {
  return { ok: true, body, warning: null };
}

function decodeKind(text: string, media: string, accepts: Kinds, limits: ReceiverLimits): Decoded {
  const first = firstCharacter(text);
  if (first === "") return fault("empty_body", "the body is empty");
  const structured = first === "{" || first === "[";
  const isForm = isFormMedia(media);
  if (accepts.includes("json") && (structured || isJsonMedia(media) || (accepts[0] === "json" && !isForm))) {
    const parsed = parseJsonExact(text, { maxDepth: limits.jsonDepth });
    if (parsed.ok) return found({ kind: "json", value: parsed.value });
    if (parsed.fault === "too_deep") return fault("too_deep", parsed.message);
    if (accepts.length === 1 || isJsonMedia(media)) return fault("invalid_json", parsed.message);
  }
  if (isForm || (accepts.includes("form") && !accepts.includes("text"))) {
    return decodeForm(parseUrlEncoded(text, limits.formFields), accepts, limits);
  }
  if (accepts.includes("text")) return found({ kind: "text", text });
  return fault("unsupported_body", `this source reads ${accepts.join(", ")}`);
}

function firstCharacter(text: string): string {
  let at = 0;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at += 1;
  return text.charAt(at);
}

/** Form fields in which tools that know only forms put their JSON. */
const jsonFields = ["payload", "data", "json"] as const;

function decodeForm(fields: FormFields | null, accepts: Kinds, limits: ReceiverLimits): Decoded {
  if (fields === null) return fault("form_invalid", `the form is broken or has more than ${limits.formFields} fields`);
  if (accepts.includes("form")) return found({ kind: "form", fields });
  if (!accepts.includes("json")) return fault("unsupported_body", `this source reads ${accepts.join(", ")}`);
  for (const name of jsonFields) {
    const [text, ...more] = fields.get(name) ?? [];
    if (text === undefined || more.length > 0) continue;
    const parsed = parseJsonExact(text, { maxDepth: limits.jsonDepth });
    if (parsed.ok) return found({ kind: "json", value: parsed.value });
    return fault(parsed.fault === "too_deep" ? "too_deep" : "invalid_json", `field ${name}: ${parsed.message}`);
  }
  return fault("invalid_json", `a form without JSON in ${jsonFields.join(", ")}`);
}
