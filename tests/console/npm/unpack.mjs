// Unpacks the browser of @sparticuz/chromium, which its package holds compressed for another place than ours.
//
//   node unpack.mjs FOLDER     FOLDER/node_modules/@sparticuz/chromium becomes FOLDER/browser
import { execFileSync } from 'node:child_process';
import { chmodSync, createReadStream, createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';

const folder = process.argv[2];
const packed = join(folder, 'node_modules/@sparticuz/chromium/bin');
const browser = join(folder, 'browser');
mkdirSync(browser, { recursive: true });

const unpack = (name) => pipeline(createReadStream(join(packed, `${name}.br`)), createBrotliDecompress(), createWriteStream(join(browser, name)));

await unpack('chromium');
chmodSync(join(browser, 'chromium'), 0o755);
// Libraries that a machine without a desktop does not have, and drawing without a graphics card.
for (const name of ['al2023.tar', 'swiftshader.tar']) {
  await unpack(name);
  execFileSync('tar', ['-xf', join(browser, name), '-C', browser]);
  rmSync(join(browser, name));
}
