'use strict';

/* The list of patients: search, and choice by mouse or keyboard (the listbox pattern of WAI-ARIA). */

import { byId } from './elements.js';

const list = byId('patient-list');
const search = byId('search');
const options = [...list.children];
const words = new Map(options.map((option) => [option, `${option.dataset.name} ${option.dataset.hook} ${option.textContent}`.toLowerCase()]));

let active = null;
// A press that moved the list would end on another patient than it began on, and the click would be lost.
let isPressed = false;

function shown() {
  return options.filter((option) => !option.hidden);
}

function mark(option) {
  if (active) active.classList.remove('active');
  active = option;
  if (!option) {
    list.removeAttribute('aria-activedescendant');
    return;
  }
  option.classList.add('active');
  list.setAttribute('aria-activedescendant', option.id);
}

function activate(option) {
  mark(option);
  if (!option) return;
  // Scrolls the list alone: the page stays where it is. The list is what offsets are counted from.
  const above = option.offsetTop;
  if (above < list.scrollTop) list.scrollTop = above;
  const below = above + option.offsetHeight - list.clientHeight;
  if (below > list.scrollTop) list.scrollTop = below;
}

function filter() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const option of options) option.hidden = !wanted.every((word) => words.get(option).includes(word));
  const found = shown();
  byId('found').textContent = found.length
    ? `${found.length} ${found.length === 1 ? 'patient' : 'patients'}; tag: expected answer`
    : 'No patient matches.';
  list.hidden = !found.length;
  if (!found.includes(active)) activate(found[0] || null);
}

function moved(key) {
  const found = shown();
  const place = found.indexOf(active);
  const last = found.length - 1;
  const places = { ArrowDown: Math.min(place + 1, last), ArrowUp: Math.max(place - 1, 0), Home: 0, End: last };
  return found[places[key]];
}

export function select(option) {
  for (const other of options) other.setAttribute('aria-selected', other === option ? 'true' : 'false');
  if (option) activate(option);
}

export function find(name) {
  return options.find((option) => option.dataset.name === name) || null;
}

/* Where a newcomer begins: in the search, without moving the page. A touch screen would open its keyboard over it. */
export function focusSearch() {
  if (window.matchMedia('(pointer: fine)').matches) search.focus({ preventScroll: true });
}

export function first() {
  return options[0] || null;
}

/* Calls `pick` with the chosen list entry. */
export function listen(pick) {
  search.addEventListener('input', filter);
  search.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') {
      event.preventDefault();
      list.focus();
    } else if (event.key === 'Enter' && shown().length) {
      event.preventDefault();
      pick(active && !active.hidden ? active : shown()[0]);
    }
  });
  list.addEventListener('mousedown', () => { isPressed = true; });
  document.addEventListener('mouseup', () => { isPressed = false; });
  list.addEventListener('focus', () => {
    if (!isPressed) activate(active && !active.hidden ? active : shown()[0] || null);
  });
  list.addEventListener('keydown', (event) => {
    if (['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) {
      event.preventDefault();
      activate(moved(event.key) || active);
    } else if ((event.key === 'Enter' || event.key === ' ') && active) {
      event.preventDefault();
      pick(active);
    }
  });
  list.addEventListener('click', (event) => {
    const option = event.target.closest('[role=option]');
    if (option) pick(option);
  });
}
