import type { TSchema } from "typebox";
import type { Source } from "./source.ts";

/** A source with the schema of the bodies that its tool sends, as far as they are read. */
export interface DescribedSource extends Source {
  readonly bodySchema: TSchema;
}
