import { createHash, X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";

/** The password that every JDK opens its own trust store with; it guards nothing, the content is public. */
const PASSWORD = "changeit";
const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED_CERTIFICATE = 2;
/** Part of the checksum, as the format wants it. */
const SALT = "Mighty Aphrodite";

/**
 * The authorities that Node, this system and NODE_EXTRA_CA_CERTS trust, as a Java key store (format JKS).
 *
 * @param createdAt epoch ms, written into every entry.
 */
export function trustStore(createdAt: number): Buffer {
  const pems = new Set((["default", "system", "extra"] as const).flatMap((kind) => getCACertificates(kind)));
  const entries = [...pems].map((pem, index) =>
    Buffer.concat([
      uint32(TRUSTED_CERTIFICATE),
      text(`authority-${index}`),
      uint64(createdAt),
      text("X.509"),
      withLength(new X509Certificate(pem).raw),
    ]),
  );
  const content = Buffer.concat([uint32(MAGIC), uint32(VERSION), uint32(entries.length), ...entries]);
  const checksum = createHash("sha1")
    .update(Buffer.from(PASSWORD, "utf16le").swap16())
    .update(SALT)
    .update(content)
    .digest();
  return Buffer.concat([content, checksum]);
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}

function uint64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64BE(BigInt(value));
  return buffer;
}

/** A short ASCII text with its length in two bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function withLength(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes]);
}
