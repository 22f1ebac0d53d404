/** An ext4 file system in a file: what a disk would hold after a power cut is what this file holds. */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { runSystem, type Scratch } from "./scratch.ts";

const mib = 1_024 * 1_024;
const imageMib = 96;
const copiesMax = 50;

/** Makes a file system. Its own journal is its only promise: nothing else is written behind our back. */
export function makeImage(file: string): void {
  writeFileSync(file, "");
  truncateSync(file, imageMib * mib);
  // Lazy initialisation would go on writing in the background.
  const options = ["-q", "-F", "-m", "0", "-J", "size=8", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
  runSystem("mkfs.ext4", [...options, file]);
}

/** null where this machine has loop devices and ext4; else why not. */
export function imageProblem(scratch: Scratch): string | null {
  if (process.platform !== "linux") return `loop images are tested on Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "loop images need root";
  const file = join(scratch.path, "probe.img");
  try {
    makeImage(file);
    scratch.unmount(scratch.mount("probe", ["-o", "loop", file]));
    return null;
  } catch (error) {
    return `no loop images here: ${error instanceof Error ? error.message.trim() : String(error)}`;
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * Copies the image while it is mounted and the process that writes to it stands still. The kernel may still be about to
 * write what it was asked to: a copy during which it wrote is no moment in time, so it is taken again.
 */
export async function copyAtOneMoment(image: string, to: string): Promise<void> {
  const device = loopDeviceOf(image);
  for (let attempt = 0; attempt < copiesMax; attempt += 1) {
    const before = writesOf(device);
    runSystem("cp", ["--sparse=always", image, to]);
    const after = writesOf(device);
    if (before.inFlight === 0 && after.inFlight === 0 && before.written === after.written) return;
    await pause(5);
  }
  throw new Error(`the kernel kept writing to ${device} during ${copiesMax} copies`);
}

function loopDeviceOf(image: string): string {
  for (const name of readdirSync("/sys/block")) {
    if (name.startsWith("loop") && backingFile(name) === image) return name;
  }
  throw new Error(`no loop device holds ${image}`);
}

function backingFile(device: string): string | null {
  try {
    return readFileSync(`/sys/block/${device}/loop/backing_file`, "utf8").trim();
  } catch {
    return null;
  }
}

/** Finished writes and requests under way, of Documentation/block/stat.rst: fields 5 and 9. */
function writesOf(device: string): { readonly written: string; readonly inFlight: number } {
  const fields = readFileSync(`/sys/block/${device}/stat`, "utf8").trim().split(/\s+/);
  return { written: fields[4] ?? "", inFlight: Number(fields[8]) };
}
