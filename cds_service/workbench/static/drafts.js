'use strict';

/* The draft orders of one patient: those that are ticked, and what taken suggestions added and removed.
 *
 * An EHR carries its drafts from one hook to the next, and so does this page until another patient is picked.
 */

import { byId, concept, element } from './elements.js';

const OWN = 'own';

const offered = [...document.querySelectorAll('input[name=draft]')];
const ownLine = byId('own-drafts');
const takenLines = byId('taken-drafts');

// Taken orders by reference, and references of the patient's own drafts that are removed.
const taken = new Map();
const removed = new Set();
// The order session of the last call, where a reference stands for an order.
let lastSent = [];
// What is ticked when a patient is picked.
let atFirst = null;

function referenceOf(order) {
  return `${order.resourceType}/${order.id}`;
}

// Whoever ticks the patient's own drafts again wants all of them.
offered.find((choice) => choice.value === OWN).addEventListener('change', () => removed.clear());

/* The names of the drafts that are ticked, without those that were taken from a card. */
export function chosen() {
  return offered.filter((choice) => choice.checked && !choice.closest('label').hidden).map((choice) => choice.value);
}

/* Begins anew: the patient's own drafts where there are some; else the first that is offered. */
export function begin(own) {
  taken.clear();
  removed.clear();
  takenLines.replaceChildren();
  ownLine.hidden = !own;
  ownLine.querySelector('span').textContent = own ? `drafted already: ${own}` : '';
  atFirst = own ? offered[0] : offered[1];
  offered.forEach((choice) => { choice.checked = choice === atFirst; });
}

/* Whether other drafts are sent than when the patient was picked. */
export function changed() {
  const hasTaken = [...taken.values()].some(({ tick }) => tick.checked);
  return hasTaken || removed.size > 0 || offered.some((choice) => choice.checked !== (choice === atFirst));
}

/* The request with what was taken and without what was removed; on a hook without orders as it is. */
export function carriedInto(request) {
  const bundle = request.context.draftOrders;
  if (!bundle) return request;
  const isLeft = (reference) => !removed.has(reference);
  const kept = (bundle.entry || []).filter((entry) => isLeft(referenceOf(entry.resource)));
  const added = [...taken.values()].filter(({ tick }) => tick.checked).map(({ order }) => ({ resource: order }));
  const { selections } = request.context;
  const context = { ...request.context, draftOrders: { ...bundle, entry: [...kept, ...added] } };
  if (selections) context.selections = selections.filter(isLeft);
  return { ...request, context };
}

/* Remembers what was sent, in which a card names drafts by reference. */
export function sent(request) {
  const bundle = (request && request.context && request.context.draftOrders) || {};
  // A request of one's own may hold anything.
  const entries = Array.isArray(bundle.entry) ? bundle.entry : [];
  lastSent = entries.map((entry) => entry && entry.resource).filter(Boolean);
}

/* The order session of a request of one's own, which is sent as it is: nothing is carried on. */
export const unchanging = { add() {}, remove: nameOf };

/* The order session of the patient that is picked. */
export const session = {
  add(order) {
    const id = order.id || `taken-${taken.size + 1}`;
    const tick = element('input', { type: 'checkbox', name: 'taken', checked: true });
    taken.set(`${order.resourceType}/${id}`, { order: { ...order, id }, tick });
    takenLines.append(element('label', { class: 'choice' }, tick, ` taken: ${concept(order.code)}`));
  },
  remove(reference) {
    const name = nameOf(reference);
    const choice = offered.find((item) => item.dataset.reference === reference);
    if (taken.has(reference)) taken.get(reference).tick.checked = false;
    else if (choice) choice.checked = false;
    else removeOwn(reference);
    return name;
  },
};

function removeOwn(reference) {
  removed.add(reference);
  const references = lastSent.map(referenceOf);
  const isOwn = (other) => !taken.has(other) && !offered.some((item) => item.dataset.reference === other);
  const left = references.filter((other) => isOwn(other) && !removed.has(other));
  if (!left.length) offered.find((item) => item.value === OWN).checked = false;
}

/* What an order of the last call is called. */
function nameOf(reference) {
  const order = lastSent.find((item) => referenceOf(item) === reference);
  return (order && concept(order.code || order.medicationCodeableConcept || {})) || 'The order';
}
