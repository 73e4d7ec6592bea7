'use strict';

/* Building pieces of the page. Words are always set as text, never as markup. */

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== undefined && value !== '') made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ''));
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

/* A list of names and values; values that are empty are left out. */
export function facts(pairs) {
  const list = element('dl', { class: 'facts' });
  for (const [name, value] of pairs) {
    if (value) list.append(element('dt', {}, name), element('dd', {}, value));
  }
  return list;
}

export function folded(title, text) {
  const block = element('pre', { tabindex: '0', role: 'region', 'aria-label': title }, text);
  return element('details', {}, element('summary', {}, title), block);
}

export function pretty(value) {
  return JSON.stringify(value, null, 2);
}

/* A FHIR CodeableConcept in words. */
export function concept(value) {
  const coding = (value.coding || [])[0] || {};
  return value.text || coding.display || coding.code || '';
}
