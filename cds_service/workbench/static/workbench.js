'use strict';

/* The workbench: a patient (or a request of one's own), a hook, drafts and a day make a call; the answer is shown. */

import { card } from './card.js';
import * as drafts from './drafts.js';
import { byId, element, pretty } from './elements.js';
import { difference, inDays, shownTag } from './expectation.js';
import * as patients from './patients.js';
import { asCurl, call, detailHtml, hookRequest, outcomeText, parsed, why } from './service.js';
import { explanation } from './why.js';

const TODAY = byId('workbench').dataset.today;
// Names of settings that are not the default.
const CHANGED_SETTINGS = byId('workbench').dataset.changedSettings;
const UNANSWERED = 'The service did not answer. Is it running?';

// What is asked about: a patient of the list, or the text of a request of one's own.
const subject = { patient: null, own: null };
// An answer that comes after a newer question is dropped.
let asked = 0;
let lastAnswer = null;

const hooks = [...document.querySelectorAll('input[name=hook]')];

function hook() {
  return hooks.find((choice) => choice.checked);
}

function asOf() {
  return byId('as-of').value || TODAY;
}

/* The day to name to the service: null where it is today. */
function laterDay() {
  return asOf() === TODAY ? null : asOf();
}

function daysLater(day) {
  return Math.round((Date.parse(day) - Date.parse(TODAY)) / 86_400_000);
}

/* Today, or plainly not. */
function showDay() {
  const day = byId('as-of').validity.valid ? laterDay() : null;
  byId('as-of').classList.toggle('later', day !== null);
  byId('day-note').hidden = day === null;
  byId('day-note').textContent = day ? `Not today: everything is asked as of ${day}, ${inDays(daysLater(day))}.` : '';
  byId('answer-day').hidden = day === null;
  byId('answer-day').textContent = day ? `as of ${day}` : '';
}

/* The text to send and the service to send it to. */
async function question() {
  if (subject.own !== null) {
    const call = parsed(subject.own);
    drafts.sent(call);
    // What is no call at all goes to the first address, which says what is wrong with it.
    const service = hooks.find((choice) => choice.value === (call || {}).hook) || hooks[0];
    return { text: subject.own, service: service.dataset.service };
  }
  const request = drafts.carriedInto(await hookRequest(subject.patient.dataset.name, hook().value, drafts.chosen(), asOf()));
  drafts.sent(request);
  return { text: pretty(request), service: hook().dataset.service };
}

/* Why nothing can be sent as things stand: title, message and kind of panel; null where it can. */
function obstacle() {
  const day = byId('as-of');
  if (!day.validity.valid) {
    return ['No call yet', `“As of” must be a day from ${day.min} to ${day.max}.`, 'refused'];
  }
  if (subject.own === null) {
    if (hook().value !== 'order-select' || drafts.chosen().length) return null;
    return ['No call yet', 'An EHR calls this hook once an order is selected. Choose a draft order.', 'silent'];
  }
  const call = parsed(subject.own);
  const isObject = call !== null && typeof call === 'object' && !Array.isArray(call);
  if (!isObject || hooks.some((choice) => choice.value === call.hook)) return null;
  const named = typeof call.hook === 'string' ? `The hook “${call.hook}” is not served here.` : 'The request names no hook.';
  return ['Not sent', `${named} “hook” must be one of ${hooks.map((choice) => choice.value).join(', ')}.`, 'refused'];
}

async function ask() {
  showDay();
  if (!subject.patient && subject.own === null) return;
  const turn = ++asked;
  const hindered = obstacle();
  if (hindered) {
    showFailure(...hindered);
    return;
  }
  const later = laterDay();
  try {
    const { text, service } = await question();
    const answer = await call(service, text, later);
    const cards = (answer.status === 200 && answer.body && answer.body.cards) || [];
    const explained = answer.status === 200 || answer.status === 412 ? why(text, later) : null;
    const details = Promise.all(cards.map((item) => detailHtml(item.detail || '')));
    const [reasons, html] = await Promise.all([explained, details]);
    if (turn !== asked) return;
    show({ service, asOf: later, answer, cards, html, reasons });
  } catch (error) {
    if (turn === asked) showFailure('No answer', error instanceof TypeError ? UNANSWERED : error.message);
  }
}

function show({ service, asOf: day, answer, cards, html, reasons }) {
  const session = subject.own === null ? drafts.session : drafts.unchanging;
  byId('answer-service').textContent = service;
  byId('cards').replaceChildren(...(cards.length
    ? cards.map((item, place) => card(service, day, item, html[place], session))
    : [withoutCard(answer, reasons)]));
  showDifference(answer, cards, reasons, day);
  byId('timeline').innerHTML = reasons ? reasons.timeline : '';
  byId('why').hidden = !reasons;
  byId('why-content').replaceChildren(...(reasons ? explanation(reasons, cards.length > 0) : []));
  showRaw(answer);
  say(cards.length ? cards.map((item) => `${item.indicator} card. ${item.summary}`).join(' ') : byId('cards').textContent);
}

/* Says why another answer is shown than the list expects. */
function showDifference(answer, cards, reasons, day) {
  const option = subject.patient;
  const asked = option && {
    day,
    daysLater: day ? daysLater(day) : 0,
    hook: hook().value,
    ownHook: option.dataset.hook,
    draftsChanged: hook().value !== 'patient-view' && drafts.changed(),
  };
  const said = option
    ? difference(option.querySelector('.tag').textContent, shownTag(answer, cards, reasons), asked, CHANGED_SETTINGS)
    : '';
  byId('differs').hidden = !said;
  byId('differs').textContent = said;
}

/* Silence, "cannot tell" and a refusal are three different things. */
function withoutCard(answer, reasons) {
  if (answer.status === 200) return panel('silent', 'No card', ...silence(reasons));
  if (answer.status === 412) {
    const missing = (reasons ? reasons.missing : []).join(', ');
    const texts = (answer.body.issue || []).map((issue) => issue.details && issue.details.text);
    return panel('unknown', 'Cannot tell', missing ? `Missing: ${missing}.` : '', ...texts);
  }
  const refused = answer.status < 500;
  return panel(
    'refused',
    refused ? 'The service refused this request' : 'The service failed',
    outcomeText(answer.body) || 'It gave no reason.',
    `Status ${answer.status}.`,
  );
}

function silence(reasons) {
  if (!reasons) return ['The service has nothing to say.'];
  if (reasons.outcome === 'fired') {
    return ['The rule has a card for this chart, but the service keeps it back: it is switched off, it runs silently, or the card was turned down.'];
  }
  const said = reasons.verdict.replace(/^No card: (.)/, (_, letter) => letter.toUpperCase());
  const refusal = reasons.criteria.find((item) => item.answer === 'not met');
  return reasons.outcome === 'not-applicable' && refusal ? [refusal.question, /^No /.test(said) ? said : `No. ${said}`] : [said];
}

function panel(kind, title, ...texts) {
  const lines = texts.filter(Boolean).map((text) => element('p', {}, text));
  return element('div', { class: `panel ${kind}` }, element('h3', {}, title), ...lines);
}

function showFailure(title, message, kind = 'refused') {
  byId('cards').replaceChildren(panel(kind, title, message));
  byId('timeline').replaceChildren();
  byId('differs').hidden = true;
  byId('why').hidden = true;
  byId('raw').hidden = true;
  say(message);
}

function showRaw(answer) {
  lastAnswer = answer;
  byId('raw').hidden = false;
  byId('raw-address').textContent = `POST ${answer.address}`;
  byId('raw-request').textContent = answer.sent;
  byId('raw-status').textContent = answer.decision ? `${answer.status}, decision ${answer.decision}` : answer.status;
  byId('raw-response').textContent = answer.body ? pretty(answer.body) : answer.text;
  byId('copied').textContent = '';
}

function say(words) {
  byId('said').textContent = words;
}

async function copyCurl() {
  try {
    await navigator.clipboard.writeText(asCurl(lastAnswer));
    byId('copied').textContent = 'Copied.';
  } catch {
    byId('copied').textContent = 'This browser does not let a page copy. The request stands below.';
  }
}

function pick(option) {
  byId('as-of').value = TODAY;
  subject.patient = option;
  subject.own = null;
  patients.select(option);
  byId('chart-title').textContent = option.querySelector('.person').textContent;
  byId('chart-line').textContent = option.querySelector('.line').textContent;
  hooks.forEach((choice) => { choice.checked = choice.value === option.dataset.hook; });
  drafts.begin(option.dataset.drafts || '');
  window.history.replaceState(null, '', `#${option.dataset.name}`);
  update();
}

/* The patient that the address names, else the first. */
function pickNamed() {
  const option = patients.find(window.location.hash.slice(1)) || patients.first();
  if (option) pick(option);
}

function pickAndShow(option) {
  pick(option);
  bringAnswer();
}

function update() {
  const own = subject.own !== null;
  byId('hooks').hidden = own;
  byId('drafts').hidden = own || hook().value === 'patient-view';
  ask();
}

/* Where the columns stand one below the other, the answer comes into sight. */
function bringAnswer() {
  const left = (element) => element.getBoundingClientRect().left;
  if (left(byId('answer-title')) <= left(byId('search'))) byId('answer-title').scrollIntoView();
  // Panes that scroll by themselves begin the next patient at their top.
  else document.querySelectorAll('section.chart, section.answer').forEach((pane) => { pane.scrollTop = 0; });
}

function sendOwn(text) {
  // The same request may be asked about on several days; another subject begins today.
  if (subject.own === null) byId('as-of').value = TODAY;
  subject.own = text;
  subject.patient = null;
  patients.select(null);
  byId('chart-title').textContent = 'A request of your own';
  byId('chart-line').textContent = 'The hook and the drafts are those of the request.';
  window.history.replaceState(null, '', window.location.pathname);
  update();
  bringAnswer();
}

async function sendFile(file) {
  const text = await file.text();
  byId('own-request').open = true;
  byId('own-text').value = text;
  sendOwn(text);
}

function later(days) {
  const day = new Date(`${TODAY}T12:00:00Z`);
  day.setUTCDate(day.getUTCDate() + days);
  byId('as-of').value = day.toISOString().slice(0, 10);
  ask();
}

function listenForFiles() {
  const holdsFile = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files');
  document.addEventListener('dragover', (event) => {
    if (holdsFile(event)) event.preventDefault();
  });
  document.addEventListener('drop', (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files.length) sendFile(event.dataTransfer.files[0]);
  });
  byId('own-file').addEventListener('change', (event) => {
    if (event.target.files.length) sendFile(event.target.files[0]);
  });
}

function start() {
  patients.listen(pickAndShow);
  byId('choices').addEventListener('change', update);
  byId('choices').addEventListener('submit', (event) => event.preventDefault());
  for (const button of document.querySelectorAll('[data-days]')) {
    button.addEventListener('click', () => later(Number(button.dataset.days)));
  }
  byId('again').addEventListener('click', ask);
  byId('own-send').addEventListener('click', () => sendOwn(byId('own-text').value));
  byId('copy-curl').addEventListener('click', copyCurl);
  listenForFiles();
  window.addEventListener('hashchange', pickNamed);
  pickNamed();
  patients.focusSearch();
}

start();
