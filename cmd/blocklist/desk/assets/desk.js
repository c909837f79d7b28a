'use strict';
// Everything works without this script. It writes times in the reader's zone, unless they have chosen one; counts down;
// makes "/" go to the search; keeps what is typed until it is sent; looks again at a page that waits; sends a form once on a double click; makes a page again to which Back leads after a form of it was sent; shows where the page is
// in a narrow navigation; and tells those who have checked a proposal that another one must confirm it: the page is the same
// for all, but for the name at its top.
const root = document.documentElement;
const zoneName = at => new Intl.DateTimeFormat('en-GB', {timeZoneName: 'short'}).formatToParts(at).find(p => p.type === 'timeZoneName').value;
function local(t) {
  const at = new Date(t.dateTime);
  if (isNaN(at)) return;
  t.title = t.textContent;
  const two = '2-digit', form = {year: 'numeric', month: two, day: two, hour: two, minute: two};
  if (t.classList.contains('second')) form.second = two;
  t.textContent = new Intl.DateTimeFormat(root.lang === 'it' ? 'it-IT' : 'sv-SE', form).format(at).replace(',', '') + ' ' + zoneName(at);
}
if (!root.dataset.zone) document.querySelectorAll('time.at').forEach(local);
const clocks = document.querySelectorAll('time[data-until]');
function tick() {
  clocks.forEach(c => {
    const left = Math.max(0, Math.floor((new Date(c.dataset.until) - Date.now()) / 1000));
    const part = n => String(n).padStart(2, '0');
    c.textContent = part(Math.floor(left / 3600)) + ':' + part(Math.floor(left / 60) % 60) + ':' + part(left % 60);
  });
}
if (clocks.length) { tick(); setInterval(tick, 1000); }
const waits = document.querySelector('[data-reload]');
if (waits) setTimeout(() => location.reload(), 1000 * waits.dataset.reload);
let left = false; // a form of this page was sent
addEventListener('pageshow', e => { // Back shows the page from memory, as it was before
  if (e.persisted && left) location.reload();
});
document.addEventListener('submit', e => { // a double click sends a form once
  if (e.target.sent) e.preventDefault();
  left = true;
  e.target.sent = true;
  setTimeout(() => { e.target.sent = false; }, 1000);
});
const here = document.querySelector('nav [aria-current]');
if (here) here.closest('ul').scrollLeft = here.offsetLeft - 60;
const fold = s => s.trim().split(/\s+/).join(' ').toLowerCase();
const name = document.querySelector('.who .name');
if (name) document.querySelectorAll('[data-checker]').forEach(p => {
  if (fold(p.dataset.checker) !== fold(name.textContent)) return;
  p.textContent = p.dataset.own;
  p.className = 'box warn';
  if (p.dataset.every === 'true') p.closest('fieldset, form').querySelectorAll('[value=confirm]').forEach(b => b.disabled = true);
});
// What is typed into a form is kept by the browser, in this tab, until it is done, its person signs out, or twelve hours have
// passed: neither a restart of the desk nor the end of a session loses it. The drafts of what is done are remembered, so that
// Back to one of them does not keep it again.
const form = document.getElementById('typed'), placeOf = path => 'typed ' + path, place = placeOf(location.pathname);
const query = new URLSearchParams(location.search), draft = query.get('draft'), hasDraft = query.has('draft');
const stored = (key, none) => JSON.parse(sessionStorage.getItem(key)) || none;
function finish(at) {
  const ended = [...stored('ended', []), ...stored(at, {}).drafts || []];
  sessionStorage.setItem('ended', JSON.stringify(ended.slice(-64)));
  sessionStorage.removeItem(at);
}
if (query.has('done')) {
  finish(placeOf(query.get('done')));
  history.replaceState(null, '', location.pathname);
}
['draft', 'edit', 'zone', 'done'].forEach(key => query.delete(key));
const person = name ? name.textContent : '';
function keep() {
  const fields = [...new FormData(form)].filter(([key]) => !['typed', 'seen', 'head', 'found'].includes(key));
  const drafts = [...new Set([...stored(place, {}).drafts || [], ...hasDraft ? [draft] : []])];
  sessionStorage.setItem(place, JSON.stringify({person, query: query.toString(), at: Date.now(), fields, drafts}));
}
function bringBack() {
  const was = stored(place, null);
  if (!was || was.person !== person || Date.now() - was.at > 12 * 3600e3) return sessionStorage.removeItem(place);
  if (was.query !== query.toString() && !hasDraft) return;
  const text = () => JSON.stringify([...new FormData(form)]), before = text();
  for (const e of form.elements) {
    const values = was.fields.filter(([key]) => key === e.name).map(([, value]) => value);
    if (e.type === 'checkbox' || e.type === 'radio') e.checked = values.includes(e.value);
    else if (values.length && /^(INPUT|TEXTAREA|SELECT)$/.test(e.tagName) && e.type !== 'hidden') {
      e.value = values[0];
      if (values[0] && e.closest('details')) e.closest('details').open = true;
    }
  }
  document.getElementById('back').hidden = text() === before;
}
if (document.querySelector('[data-done]')) finish(place);
else if (form && 'draft' in form.dataset) stored('ended', []).includes(draft) || keep();
else if (form) bringBack();
if (form) {
  form.addEventListener('input', keep);
  form.addEventListener('reset', () => { sessionStorage.removeItem(place); document.getElementById('back').hidden = true; });
}
// A link that ticks, or that chooses a verdict, for many at once does so in the page.
function choosing(links, choose) {
  document.querySelectorAll(links).forEach(a => a.addEventListener('click', e => {
    e.preventDefault();
    choose(a);
    a.closest('form').dispatchEvent(new Event('input'));
  }));
}
choosing('[data-tick]', a => document.querySelectorAll('[name=id]').forEach(box => { box.checked = a.dataset.tick !== ''; }));
const filled = b => [...document.querySelectorAll('.verdict')].filter(row => b.value === '' || row.querySelector('[value=""]:checked'))
  .map(row => row.querySelector(`[name^="verdict:"][value="${b.value}"]`)).filter(to => to && !to.disabled);
choosing('[data-verdict]', b => filled(b).forEach(to => { to.checked = true; }));
document.querySelectorAll('[data-tally]').forEach(p => {
  const of = p.closest('form'), chosen = '[name=id]:checked, [name^="verdict:"]:checked:not([value=""])';
  const count = () => {
    p.textContent = p.dataset.tally.replace('#', of.querySelectorAll(chosen).length);
    document.querySelectorAll('[data-verdict] span').forEach(n => { n.textContent = filled(n.parentElement).length; });
  };
  of.addEventListener('input', count);
  of.addEventListener('reset', () => setTimeout(count));
  p.hidden = false;
  count();
});
document.querySelectorAll('form[action="/leave"] button, [data-leave]').forEach(e => e.addEventListener('click', () => sessionStorage.clear()));
document.addEventListener('keydown', e => {
  if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) return;
  const box = document.getElementById('search');
  if (box) { e.preventDefault(); box.focus(); box.select(); }
});
