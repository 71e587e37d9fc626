// Makes src/api/schema.ts of the OpenAPI document that comes on standard input, and notes its hash: a test compares it.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import openapiTS, { astToString } from 'openapi-typescript';

const document = await text(process.stdin);
const hash = createHash('sha256').update(document).digest('hex');
const types = astToString(await openapiTS(JSON.parse(document)));
writeFileSync('src/api/schema.ts', `// Made by \`make types\`; do not edit. OpenAPI document: sha256 ${hash}\n\n${types}`);
