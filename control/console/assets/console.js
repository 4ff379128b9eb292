// The console works without this file; with it, pages refresh themselves and can be used by keyboard.
'use strict';

const markup = window.trustedTypes
  ? window.trustedTypes.createPolicy('gatehold', { createHTML: (html) => html })
  : { createHTML: (html) => html };

/** Whether keys belong to what has the focus. */
const isTyping = (target) => target.closest('input, textarea, select, dialog') !== null || target.isContentEditable;

// ---- Time left

function spell(millis) {
  if (millis <= 0) return 'over';
  const seconds = Math.floor(millis / 1000);
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes >= 5) return `${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

/** When each clock ends, by the browser's own monotonic clock: its time of day may be wrong. */
const ends = new WeakMap();

function tick() {
  for (const clock of document.querySelectorAll('[data-left]')) {
    if (!ends.has(clock)) ends.set(clock, performance.now() + Number(clock.dataset.left));
    const left = ends.get(clock) - performance.now();
    const text = spell(left);
    if (clock.textContent !== text) clock.textContent = text;
    clock.classList.toggle('soon', left < 60_000);
  }
}

// ---- What has changed

/** Puts the parts of a newly loaded page in place of those that differ, and keeps focus and what was typed. */
function renew(page) {
  for (const part of document.querySelectorAll('[data-live]')) {
    const name = part.dataset.live;
    const now = page.querySelector(`[data-live="${name}"]`);
    if (!now) continue;
    // A form stays as long as it means the same: somebody may be writing in it.
    const isForm = part.querySelector('textarea') !== null;
    if (isForm && part.dataset.key === now.dataset.key) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.closest('[data-row]')?.dataset.row : undefined;
    const known = new Set([...part.querySelectorAll('[data-row]')].map((row) => row.dataset.row));
    const had = part.contains(document.activeElement);
    const opened = [...part.querySelectorAll('details')].map((details) => details.open);
    part.replaceWith(now);
    now.querySelectorAll('details').forEach((details, index) => { details.open = opened[index] ?? details.open; });
    if (name === 'list') {
      for (const row of now.querySelectorAll('[data-row]')) if (!known.has(row.dataset.row)) row.classList.add('fresh');
    }
    if (focused) now.querySelector(`[data-row="${CSS.escape(focused)}"] a`)?.focus({ preventScroll: true });
    else if (had) document.getElementById('main').focus({ preventScroll: true });
  }
  tick();
}

let loading = false;
let again = false;

async function refresh() {
  if (loading) {
    again = true;
    return;
  }
  loading = true;
  try {
    const answer = await fetch(location.href, { headers: { 'x-gatehold-live': '1' }, cache: 'no-store' });
    if (answer.status === 401) return location.reload();
    if (answer.ok) renew(new DOMParser().parseFromString(markup.createHTML(await answer.text()), 'text/html'));
  } catch {
    // The stream says when the server is back.
  } finally {
    // Many changes at once are one refresh.
    setTimeout(() => {
      loading = false;
      if (again) {
        again = false;
        refresh();
      }
    }, 250);
  }
}

function follow() {
  const live = document.getElementById('live');
  const shown = document.querySelector('[data-approval]')?.dataset.approval ?? '';
  const stream = new EventSource(`/events?approval=${encodeURIComponent(shown)}`);
  const say = (text, isLost) => {
    live.hidden = false;
    live.textContent = text;
    live.classList.toggle('lost', isLost);
  };
  let wasLost = false;
  stream.addEventListener('hello', () => {
    say('Live', false);
    if (wasLost) refresh();
    wasLost = false;
  });
  stream.addEventListener('change', refresh);
  stream.addEventListener('over', () => location.reload());
  stream.addEventListener('error', () => {
    wasLost = true;
    say('Connecting again …', true);
  });
  // Who waits at this moment is no news of its own.
  setInterval(() => { if (!document.hidden) refresh(); }, 15_000);
  window.addEventListener('pagehide', () => stream.close());
  window.addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
}

// ---- Keys

function move(step) {
  const links = [...document.querySelectorAll('.row-link')];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1);
  links[next].focus();
  links[next].closest('[data-row]').scrollIntoView({ block: 'nearest' });
}

const focus = (selector) => () => {
  const element = document.querySelector(selector);
  element?.focus();
  element?.scrollIntoView({ block: 'nearest' });
};

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: (event) => { if (document.activeElement.closest('.row')) { event.preventDefault(); move(1); } },
  ArrowUp: (event) => { if (document.activeElement.closest('.row')) { event.preventDefault(); move(-1); } },
  a: focus('#approve'),
  d: focus('#deny'),
  r: (event) => { event.preventDefault(); focus('#reason')(); },
  u: () => document.querySelector('[data-up]')?.click(),
  '/': (event) => { event.preventDefault(); focus('#q')(); },
  '?': () => document.getElementById('help').showModal(),
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape' && isTyping(event.target)) return event.target.blur();
  if (isTyping(event.target)) return;
  KEYS[event.key]?.(event);
});

// A second click must not send a vote twice.
document.addEventListener('submit', (event) => {
  if (!event.target.matches('.vote')) return;
  setTimeout(() => event.target.querySelectorAll('button').forEach((button) => { button.disabled = true; }));
});

tick();
setInterval(tick, 1000);
if (document.querySelector('[data-live]')) follow();
