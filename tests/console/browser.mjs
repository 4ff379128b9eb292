// Plays one scenario in Chromium against the console at $CONSOLE; $STAGE makes things happen behind it.
//
//   node browser.mjs queue|decide|hostile|forged|late|looks|fleet|plain
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const { CONSOLE, STAGE, SHOTS, GATEHOLD_CHROMIUM, GATEHOLD_BROWSER_MODULES } = process.env;
const { chromium } = createRequire(join(GATEHOLD_BROWSER_MODULES, 'x.js'))('playwright-core');

const libraries = join(dirname(GATEHOLD_CHROMIUM), 'al2023/lib');
const env = { ...process.env };
if (existsSync(libraries)) env.LD_LIBRARY_PATH = [env.LD_LIBRARY_PATH, libraries].filter(Boolean).join(':');
// The sandbox needs rights that containers do not give; nothing but our own pages is opened.
const browser = await chromium.launch({ executablePath: GATEHOLD_CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'], env });

const DESKTOP = { width: 1280, height: 860 };
const PHONE = { width: 390, height: 844 };

async function stage(what, body = {}) {
  const answer = await fetch(`${STAGE}/${what}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, `${what}: ${await answer.clone().text()}`);
  return answer.json();
}

const say = (text) => console.log(`  ${text}`);

/** A window of its own, with its own cookies, in which nothing may go wrong unseen. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, locale: 'en-GB', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  // A 403 that a scenario provokes is a console message too.
  page.on('console', (message) => { if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) problems.push(message.text()); });
  page.problems = problems;
  return page;
}

async function signIn(user, options) {
  const page = await open(options);
  // The document may have come into force just now.
  for (let tries = 0; (await page.goto(`${CONSOLE}/approvals`)).status() === 503; tries += 1) {
    assert.ok(tries < 200, 'the console comes into force');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await page.click('#sign-in');
  await page.fill('input[name=username]', user);
  await page.fill('input[name=password]', user);
  await page.click('button');
  await page.waitForURL(`${CONSOLE}/approvals`);
  return page;
}

const row = (page, id) => page.locator(`[data-row="${id}"]`);
const live = (page) => page.waitForSelector('#live:not([hidden]):not(.lost)', { state: 'attached' });
const clean = (page) => assert.deepEqual(page.problems, [], 'nothing is reported to the console of the browser');
const shot = (page, name) => page.screenshot({ path: join(SHOTS, `${name}.png`), animations: 'disabled' });

const BAIT = 'Duplicate charge\u202E, see ticket\u2069 4711\u200B\u{E0061}\u{E0070}\u{E0070}\u{E0072}\u{E006F}\u{E0076}\u{E0065}';

const DEFINITION = {
  name: 'refund',
  description: 'Pays money back to a customer.\nThe amount is in the currency of the original payment.',
  inputSchema: { type: 'object', properties: { amount: { type: 'number' }, customer: { type: 'string' } } },
  annotations: { readOnlyHint: false, destructiveHint: true, openWorldHint: true },
};

const scenarios = {
  async queue() {
    const page = await signIn('carol');
    await page.waitForSelector('.empty');
    assert.match(await page.textContent('.who-name'), /Carol Diaz/);
    await live(page);
    let loads = 0;
    page.on('framenavigated', () => { loads += 1; });
    const one = await stage('wait', { arguments: { amount: 120, customer: 'c-17' } });
    await row(page, one.approval).waitFor();
    const two = await stage('wait', { tool: 'delete_account', risks: ['destructive'], arguments: { customer: 'c-18' } });
    await row(page, two.approval).waitFor();
    assert.equal(await page.textContent('.tabs [aria-current] .count'), '2');
    assert.equal(loads, 0, 'without loading the page');
    say('two calls appeared by themselves');

    // Somebody else decides: it goes away here.
    const other = await signIn('dave');
    await other.click(`[data-row="${one.approval}"] .row-link`);
    await other.click('#deny');
    await other.waitForSelector('.pill.tone-bad');
    await row(page, one.approval).waitFor({ state: 'detached' });
    assert.deepEqual(await stage('decided', one), { outcome: 'OUTCOME_DENIED', reason: (await stage('decided', one)).reason });
    assert.equal(loads, 0);
    say('what somebody else denied went away by itself');

    // A call for others only is not shown.
    const hidden = await stage('wait', { roles: ['legal'], tool: 'sue' });
    const seen = await stage('wait', { tool: 'export_all', risks: ['external', 'read'] });
    await row(page, seen.approval).waitFor();
    assert.equal(await row(page, hidden.approval).count(), 0);
    assert.equal((await page.goto(`${CONSOLE}/approvals/${hidden.approval}`)).status(), 403);

    await page.goto(`${CONSOLE}/approvals`);
    await page.click('.who summary');
    await page.click('.who-menu button');
    await page.waitForURL(/\/sign-in/);
    await page.goto(`${CONSOLE}/approvals`);
    await page.waitForURL(/\/sign-in\?to=/);
    clean(page);
    clean(other);
  },

  async decide() {
    await stage('definition', { tool: 'refund', definition: DEFINITION });
    const older = await stage('wait', { arguments: { amount: 120, customer: 'c-17' }, reasonRequired: true });
    const newer = await stage('wait', { arguments: { amount: 4800, customer: 'c-17' } });
    const page = await signIn('carol');
    await live(page);
    // Newest first: j goes to the newer, again j to the older.
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${CONSOLE}/approvals/${older.approval}`);
    assert.match(await page.textContent('.args'), /amount.*120/s);
    assert.match(await page.textContent('body'), /One client waits at this moment/);
    assert.match(await page.textContent('blockquote'), /Pays money back/);
    say('opened by keyboard');

    await page.keyboard.press('?');
    await page.waitForSelector('#help[open]');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#help:not([open])', { state: 'attached' });
    await page.keyboard.press('d');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'deny');
    await page.keyboard.press('Enter');
    // The browser itself asks for the reason that policy requires.
    assert.equal(await page.evaluate(() => document.querySelector('#reason').validity.valueMissing), true);
    await page.keyboard.press('Escape');
    await page.locator('#reason').blur();
    await page.keyboard.press('r');
    await page.keyboard.type('no receipt in the ticket');
    await page.keyboard.press('Escape');
    await page.keyboard.press('d');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.head .pill.tone-bad');
    assert.match(await page.textContent('.votes'), /denied.*carol.*no receipt in the ticket/s);
    const denied = await stage('decided', older);
    assert.equal(denied.outcome, 'OUTCOME_DENIED');
    assert.match(denied.reason, /no receipt in the ticket/);
    say('denied with the reason that policy requires; the filter was told');

    await page.keyboard.press('u');
    await page.waitForURL(`${CONSOLE}/approvals`);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${CONSOLE}/approvals/${newer.approval}`);
    assert.match(await page.textContent('.earlier'), /Denied/);
    await page.keyboard.press('a');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'approve');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.head .pill.tone-good');
    assert.equal((await stage('decided', newer)).outcome, 'OUTCOME_APPROVED');
    assert.equal((await stage('run', { ...newer, detail: 'ok' })).granted, true);
    await page.waitForFunction(() => document.querySelector('.outcome').textContent.includes('has answered'));
    say('approved; that the call ran appeared by itself');

    await page.goto(`${CONSOLE}/approvals?state=used`);
    assert.equal(await row(page, newer.approval).count(), 1);
    clean(page);
  },

  async hostile() {
    const held = await stage('wait', {
      tool: 'refund', user: 'al\u0456ce', agent: 'agent\u202Egpj.exe',
      arguments: { memo: BAIT, markup: '<img src=x onerror="document.title=1"><script>document.title=2</script>', to: 'p\u0430yp\u0430l' },
    });
    const page = await signIn('carol');
    await page.goto(`${CONSOLE}/approvals/${held.approval}`);
    const marks = await page.locator('.args mark').allTextContents();
    for (const mark of ['U+202E', 'U+2069', 'U+200B', 'TAG “approve”']) assert.ok(marks.includes(mark), `${mark} in ${marks}`);
    const notes = await page.textContent('.notes');
    assert.match(notes, /right-to-left override \(U\+202E\)/);
    assert.match(notes, /reads like “paypal”/);
    assert.match(notes, /user.*alіce.*reads like “alice”/s);
    assert.doesNotMatch(await page.content(), /[\u202A-\u202E\u2066-\u2069\u200B]|[\u{E0000}-\u{E007F}]/u);
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.match(await page.title(), /refund on crm/);
    await page.click('.raw summary');
    assert.match(await page.textContent('pre'), /U\+202E/);
    await page.goto(`${CONSOLE}/approvals`);
    assert.match(await row(page, held.approval).textContent(), /odd characters/);
    clean(page);
    say('hidden characters are marked, markup is text');
  },

  async forged() {
    // carol could decide, but it was asked for in her name.
    const held = await stage('wait', { user: 'carol', arguments: { amount: 1 } });
    const other = await stage('wait', { arguments: { amount: 2 } });
    const page = await signIn('carol');
    await page.goto(`${CONSOLE}/approvals/${held.approval}`);
    assert.match(await page.textContent('.why-not'), /You asked for this call yourself/);
    assert.equal(await page.locator('#approve, #deny, .vote').count(), 0);
    const forge = (form) => page.evaluate(async ([path, fields]) => {
      const answer = await fetch(path, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' });
      return { status: answer.status, type: answer.type };
    }, form);
    const csrf = await page.inputValue('.who-menu [name=csrf]');
    const digest = await page.textContent('.digest');
    assert.equal((await forge([`/approvals/${held.approval}/approve`, { csrf, digest }])).status, 403);
    await page.goto(`${CONSOLE}/approvals/${other.approval}`);
    const theirs = await page.textContent('.digest');
    assert.equal((await forge([`/approvals/${other.approval}/approve`, { digest: theirs }])).status, 403, 'without the token');
    assert.equal((await forge([`/approvals/${other.approval}/approve`, { csrf, digest }])).status, 409, 'with what another page showed');
    say('forged votes are refused');

    // Another site with the same person's browser: neither a form nor a frame of it does anything.
    const evil = createServer((request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(request.url === '/frame'
        ? `<iframe src="${CONSOLE}/approvals/${other.approval}"></iframe>`
        : `<form method="post" action="${CONSOLE}/approvals/${other.approval}/approve"><input name="csrf" value="${csrf}"><input name="digest" value="${theirs}"><button>Win</button></form>`);
    });
    await new Promise((resolve) => evil.listen(0, '127.0.0.1', resolve));
    // Another host name, so another site.
    const trap = await page.context().newPage();
    await trap.goto(`http://localhost:${evil.address().port}/`);
    const [answer] = await Promise.all([trap.waitForResponse(/\/approve$/), trap.click('button')]);
    assert.ok([401, 403].includes(answer.status()), `a form of another site: ${answer.status()}`);
    // Another port is the same site, so cookies go along; the origin gives it away.
    await trap.goto(`http://127.0.0.1:${evil.address().port}/`);
    const [near] = await Promise.all([trap.waitForResponse(/\/approve$/), trap.click('button')]);
    assert.equal(near.status(), 403, 'a form of a sister site');
    await trap.goto(`http://127.0.0.1:${evil.address().port}/frame`);
    const framed = trap.frames().find((frame) => frame !== trap.mainFrame());
    assert.equal(await framed.locator('#approve').count().catch(() => 0), 0, 'not shown in a frame');
    evil.close();
    const shown = await page.goto(`${CONSOLE}/approvals/${other.approval}`);
    assert.match(shown.headers()['content-security-policy'], /frame-ancestors 'none'/);
    assert.equal(shown.headers()['x-frame-options'], 'DENY');
    assert.equal(await page.locator('.votes li').count(), 0, 'nobody has voted');
    const cookies = await page.context().cookies(CONSOLE);
    const session = cookies.find((cookie) => cookie.name === 'gatehold-session');
    assert.ok(session.httpOnly && session.sameSite === 'Lax');
    say('other sites can neither send forms nor frame the page');
  },

  async late() {
    const held = await stage('wait', { arguments: { amount: 5 }, within: 4 });
    const gone = await stage('wait', { arguments: { amount: 6 }, mechanism: 2 });
    const page = await signIn('carol');
    await page.goto(`${CONSOLE}/approvals/${gone.approval}`);
    await live(page);
    await page.fill('#reason', 'half a sentence');
    await stage('leave', { waiter: gone.waiter, why: 3 });
    await page.waitForFunction(() => document.querySelector('.outcome').textContent.includes('Too late'));
    assert.equal(await page.locator('.vote').count(), 0);
    say('a call whose agent went away says so by itself');
    await page.goto(`${CONSOLE}/approvals/${held.approval}`);
    await page.waitForFunction(() => document.querySelector('.outcome').textContent.includes('nobody decided in time'), null, { timeout: 30_000 });
    await page.goto(`${CONSOLE}/approvals?state=lapsed`);
    assert.equal(await page.locator('.row').count(), 2);
    say('an expired one too');
    clean(page);
  },

  async looks() {
    await stage('definition', { tool: 'refund', definition: DEFINITION });
    for (const [index, amount] of [80, 95].entries()) {
      const before = await stage('wait', { arguments: { amount, currency: 'EUR', customer: `c-${10 + index}` }, user: 'erin' });
      const voter = await signIn('dave');
      await voter.goto(`${CONSOLE}/approvals/${before.approval}`);
      await voter.click(index ? '#approve' : '#deny');
      await voter.waitForSelector('.votes');
      if (index) await stage('run', { ...before, detail: 'ok' });
      await voter.context().close();
    }
    await stage('wait', { tool: 'update_contact', risks: ['write'], user: 'bob', arguments: { contact: 'K-2231', email: 'billing@northwind.example' }, rule: 'crm/contacts', approvers: ['carol'], roles: [] });
    await stage('wait', { tool: 'delete_account', risks: ['destructive', 'write'], user: 'erin', agent: 'cleanup-agent', arguments: { account: 'A-1001', purge: true }, quorum: 2, rule: 'crm/deletions', within: 7200 });
    await stage('wait', { tool: 'export_customers', risks: ['external', 'read'], user: 'bob', agent: 'report-agent', arguments: { filter: { country: 'NO' }, to: 's3://reports/north' }, rule: 'crm/exports', within: 45 });
    const held = await stage('wait', {
      arguments: { amount: 4800, currency: 'EUR', customer: 'c-17', lines: [{ sku: 'HD-220', quantity: 2 }, { sku: 'CBL-9', quantity: 10 }], notify: true, memo: BAIT },
      quorum: 2, reasonRequired: true,
    });
    const dave = await signIn('dave');
    await dave.goto(`${CONSOLE}/approvals/${held.approval}`);
    await dave.fill('#reason', 'Confirmed with the customer by phone, ticket 4711.');
    await dave.click('#approve');
    await dave.waitForSelector('.votes');

    const widths = async (page) => page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    for (const [scheme, viewport, name] of [['light', DESKTOP, 'light'], ['dark', DESKTOP, 'dark'], ['light', PHONE, 'phone'], ['dark', PHONE, 'phone-dark']]) {
      const page = await signIn('carol', { colorScheme: scheme, viewport, deviceScaleFactor: viewport === PHONE ? 2 : 1 });
      await live(page);
      for (const [path, part] of [['', 'list'], [`/${held.approval}`, 'approval'], ['?state=all', 'all']]) {
        await page.goto(`${CONSOLE}/approvals${path}`);
        const [wide, window] = await widths(page);
        assert.ok(wide <= window, `${name} ${part}: ${wide} wide in a window of ${window}`);
        await shot(page, `${part}-${name}`);
        if (part === 'approval') await page.screenshot({ path: join(SHOTS, `whole-${name}.png`), animations: 'disabled', fullPage: true });
      }
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const [red] = background.match(/\d+/g).map(Number);
      assert.equal(red < 128, scheme === 'dark', `${name}: ${background}`);
      await page.keyboard.press('?');
      await shot(page, `help-${name}`);
      clean(page);
      const context = page.context();
      await page.context().clearCookies();
      await page.goto(`${CONSOLE}/sign-in`);
      await shot(page, `door-${name}`);
      await context.close();
    }
    say('no page is wider than its window; light and dark');
  },

  async fleet() {
    await stage('connect', { node: 'edge-1', cluster: 'edge', version: '0.2.0', words: ['protocol/2', 'problem/two_copies'] });
    await stage('connect', { node: 'edge\u202Egpj\u{E0061}', cluster: '<img src=x onerror="document.title=1">', version: '0.1.9' });
    const page = await signIn('dave');
    await page.click('a[href="/fleet"]');
    await page.waitForURL(`${CONSOLE}/fleet`);
    const rowOf = (text) => page.locator('.row', { hasText: text });
    assert.match(await rowOf('edge-1').textContent(), /in edge.*0\.2\.0.*two_copies/s);
    assert.match(await rowOf('0.1.9').textContent(), /U\+202E.*<img src=x/s);
    assert.doesNotMatch(await page.content(), /[\u202A-\u202E]|[\u{E0000}-\u{E007F}]/u);
    assert.equal(await page.locator('main img').count(), 0);
    await shot(page, 'fleet');
    await page.setViewportSize(PHONE);
    const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    assert.ok(wide <= window, `${wide} wide in a window of ${window}`);
    await shot(page, 'fleet-phone');
    clean(page);
    say('every Envoy is listed, with what is wrong; markup is text');
  },

  async plain() {
    const held = await stage('wait', { arguments: { amount: 7 } });
    const page = await signIn('carol', { javaScriptEnabled: false });
    await page.click(`[data-row="${held.approval}"] .row-link`);
    await page.fill('#reason', 'fine');
    await page.click('#approve');
    await page.waitForSelector('.votes');
    assert.equal((await stage('decided', held)).outcome, 'OUTCOME_APPROVED');
    say('signed in and approved without scripts');
  },
};

const chosen = scenarios[process.argv[2]];
if (!chosen) {
  console.error(`browser: no scenario \`${process.argv[2]}\`; there are ${Object.keys(scenarios).join(', ')}`);
  process.exit(2);
}
try {
  await chosen();
} finally {
  await browser.close();
}
