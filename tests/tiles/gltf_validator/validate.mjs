// Validates the GLB files named on the command line; prints one JSON object, file name -> issues.
import { readFile } from 'node:fs/promises';
import validator from 'gltf-validator';

const reports = {};
for (const path of process.argv.slice(2)) {
  const report = await validator.validateBytes(new Uint8Array(await readFile(path)), { maxIssues: 100 });
  reports[path] = { errors: report.issues.numErrors, warnings: report.issues.numWarnings, messages: report.issues.messages };
}
process.stdout.write(JSON.stringify(reports));
