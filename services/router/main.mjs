#!/usr/bin/env node
// Runs this service alone, as `winnow router` does.
process.argv.splice(2, 0, "router");
await import("../winnow/bin/winnow.mjs");
