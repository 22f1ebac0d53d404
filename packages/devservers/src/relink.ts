import { lstat, readdir, readlink, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { isErrno } from "./errno.ts";

/**
 * Makes absolute links of an unpacked tree relative where their target is in the tree: packages link to `/etc/…`, which
 * is not there when they are not installed.
 */
export async function relinkInside(tree: string): Promise<void> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isSymbolicLink())) {
    const link = join(entry.parentPath, entry.name);
    const target = await readlink(link);
    if (target.startsWith("/") && (await isThere(join(tree, target)))) {
      await rm(link);
      await symlink(relative(dirname(link), join(tree, target)), link);
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) {
      return false;
    }
    throw error;
  }
}
