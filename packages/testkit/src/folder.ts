/** Folders for tests. */
import type { Test } from "tap";

/**
 * A folder of the test's own with the files of `contents`, removed after its last teardown. tap's own `testdir` is
 * removed before the teardowns when it was asked for before the first of them, under whatever still runs in it.
 */
export function testFolder(t: Test, contents: Parameters<Test["testdir"]>[0] = {}): string {
  t.teardown(() => undefined);
  return t.testdir(contents);
}
