export interface ContentType {
  /** Lower-cased, without parameters; empty when absent. */
  readonly media: string;
  readonly charset: string | undefined;
}

/** Reads a Content-Type header leniently: a broken one is no reason to lose an alert. */
export function parseContentType(header: string | undefined): ContentType {
  if (header === undefined) return { media: "", charset: undefined };
  const semicolon = header.indexOf(";");
  if (semicolon === -1) return { media: header.trim().toLowerCase(), charset: undefined };
  const charset = /;\s*charset\s*=\s*"?([^";\s]{1,40})/i.exec(header)?.[1];
  return { media: header.slice(0, semicolon).trim().toLowerCase(), charset };
}

export function isJsonMedia(media: string): boolean {
  return media === "application/json" || media.endsWith("+json") || media === "text/json";
}

export function isFormMedia(media: string): boolean {
  return media === "application/x-www-form-urlencoded" || media === multipartMedia;
}

export const multipartMedia = "multipart/form-data";
