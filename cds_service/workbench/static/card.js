'use strict';

/* Cards as an EHR shows them, and what a physician does with them: take a suggestion, or dismiss with a reason. */

import { concept, element, facts, folded, pretty } from './elements.js';
import { outcomeText, sendFeedback } from './service.js';

const INDICATORS = { critical: 'Critical', warning: 'Warning', info: 'Information' };

let cardsShown = 0;

/* One card, answered by a service as of a day (null: today). `detail` is HTML made by our own server; `session` are
 * the draft orders, which a taken suggestion changes. */
export function card(service, asOf, content, detail, session) {
  const id = `card-${++cardsShown}`;
  const indicator = INDICATORS[content.indicator] ? content.indicator : 'info';
  const log = element('div', { class: 'feedback', role: 'status', tabindex: '-1' });
  const orders = element('div', { class: 'orders' });
  const article = element('article', { class: `card ${indicator}`, 'aria-labelledby': id });
  const text = element('div', { class: 'detail' });
  text.innerHTML = detail;
  const context = { service, asOf, content, article, log, orders, session };
  article.append(
    element(
      'header',
      {},
      element('p', { class: 'indicator' }, element('span', { class: `tag ${indicator}` }, INDICATORS[indicator])),
      element('h3', { id }, content.summary),
    ),
    text,
    ...suggestions(context),
    orders,
    ...dismissal(context),
    log,
    links(content),
  );
  return article;
}

function suggestions(context) {
  const offered = context.content.suggestions || [];
  if (!offered.length) return [];
  const items = offered.map((suggestion) => element('li', {}, suggestionButton(context, suggestion)));
  return [element('ul', { class: 'suggestions', 'aria-label': 'Suggested orders' }, ...items)];
}

function suggestionButton(context, suggestion) {
  const button = element('button', { type: 'button', class: suggestion.isRecommended ? 'main' : '' }, suggestion.label);
  button.addEventListener('click', () => {
    // The button stays where it is, so that the focus does.
    if (button.getAttribute('aria-disabled')) return;
    button.setAttribute('aria-disabled', 'true');
    button.textContent = `Taken: ${suggestion.label}`;
    context.orders.append(...(suggestion.actions || []).map((action) => done(action, context.session)));
    report(context, {
      card: context.content.uuid,
      outcome: 'accepted',
      acceptedSuggestions: [{ id: suggestion.uuid }],
    });
  });
  return button;
}

/* What an action does to the order session. */
function done(action, session) {
  if (action.type === 'delete') {
    const removed = session.remove(action.resourceId);
    return element(
      'section',
      { class: 'order' },
      element('h4', {}, 'Draft removed'),
      element('p', {}, removed, ' ', element('code', { class: 'small quiet' }, action.resourceId)),
    );
  }
  const order = action.resource;
  session.add(order);
  return element(
    'section',
    { class: 'order' },
    element('h4', {}, 'Draft order created'),
    facts([
      ['Order', concept(order.code)],
      ['Priority', order.priority],
      ['Codes', (order.code.coding || []).map((coding) => `${coding.code} (${system(coding.system)})`).join(', ')],
      ['Region', (order.bodySite || []).map(concept).join(', ')],
      ['Because of', (order.reasonCode || []).map(concept).join('; ')],
      ['Status', `${order.status}, ${order.intent}: not signed`],
    ]),
    folded('The draft order as FHIR', pretty(order)),
  );
}

function system(uri) {
  const last = (uri || '').replace(/\/+$/, '').split('/').pop();
  return { 'loinc.org': 'LOINC', sct: 'SNOMED CT', 'radlex.org': 'RadLex' }[last] || last;
}

function dismissal(context) {
  const reasons = context.content.overrideReasons || [];
  const select = element('select', {}, element('option', { value: '' }, 'no reason given'));
  reasons.forEach((reason, place) => select.append(element('option', { value: String(place) }, reason.display)));
  const button = element('button', { type: 'submit' }, 'Dismiss');
  const form = element('form', { class: 'dismiss' }, element('label', {}, 'Reason ', select), button);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    context.article.classList.add('dismissed');
    // The button is gone; what became of the card is read next.
    context.log.focus();
    dismiss(context, select.value === '' ? null : reasons[Number(select.value)]);
  });
  return [form];
}

function dismiss(context, reason) {
  const entry = { card: context.content.uuid, outcome: 'overridden' };
  if (reason) entry.overrideReason = { reason: { code: reason.code, system: reason.system } };
  report(context, entry, reason ? `Dismissed: ${reason.display}.` : 'Dismissed without a reason.');
}

/* Sends feedback and says what the service answered. */
async function report(context, entry, words = 'Suggestion taken.') {
  let said;
  let sent = pretty({ feedback: [entry] });
  let title = 'The feedback that was sent';
  try {
    const answer = await sendFeedback(context.service, entry, context.asOf);
    sent = answer.sent;
    const why = answer.status === 200 ? 'feedback received.' : outcomeText(answer.body) || 'no reason given.';
    said = `${words} The service answered ${answer.status}: ${why}`;
  } catch {
    said = `${words} The feedback could not be sent: the service did not answer.`;
    title = 'The feedback that could not be sent';
  }
  context.log.append(element('p', {}, said), folded(title, sent));
}

function links(content) {
  const source = content.source || {};
  const shown = element('p', { class: 'source small' }, 'Source: ', link(source.url, source.label));
  for (const other of content.links || []) shown.append(' · ', link(other.url, other.label));
  return shown;
}

function link(url, label) {
  // A card may name any address; only those of web pages become links.
  if (!/^https?:\/\//.test(url || '') && !/^\/[^/]/.test(url || '')) return label || '';
  return element('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, label);
}
