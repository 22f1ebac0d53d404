import { InvalidArgumentError } from "commander";

/** `new,acknowledged` as a list. */
function commaList(text: string): readonly string[] {
  const words = text.split(",").map((word) => word.trim());
  if (words.includes("")) throw new InvalidArgumentError("Write it like a,b,c.");
  return words;
}

/** A whole number in a range, as the parser of an option. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`A whole number from ${min} to ${max}.`);
  };
}

/** Items of a list that a person may ask for at once; `--all` has no limit. */
export const limit = whole(1, 100_000);

/** Words of a closed set, or a mistake of who typed them. */
export function oneOf(words: readonly string[]): (text: string) => readonly string[] {
  return (text) => {
    const wanted = commaList(text);
    const wrong = wanted.find((word) => !words.includes(word));
    if (wrong === undefined) return wanted;
    throw new InvalidArgumentError(`Allowed are ${words.join(", ")}.`);
  };
}
