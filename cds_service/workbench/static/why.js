'use strict';

/* "Why?": every criterion with its answer and evidence, and what stands beside them. */

import { element } from './elements.js';

const ANSWERS = { met: ['yes', 'good'], 'not met': ['no', ''], unknown: ['cannot tell', 'warning'] };

/* `withVerdict`: where there is no card, the verdict stands in its place already. */
export function explanation(facts, withVerdict) {
  return [
    ...(withVerdict ? [element('p', { class: 'verdict' }, facts.verdict)] : []),
    element('ol', { class: 'criteria' }, ...facts.criteria.map(criterion)),
    ...facts.beside.map((group) => section(group.title, group.findings.map(finding))),
    ...sectionIfAny('Orders', facts.orders),
    ...sectionIfAny('Noted', facts.notes),
    ...sectionIfAny('Not wholly known', facts.gaps.map((gap) => `${gap.key}: ${gap.why}`)),
    ...sectionIfAny('Not understood', facts.not_understood),
    ...sectionIfAny('Not read, or refused', facts.unread),
    ...sectionIfAny('Read from the FHIR server', facts.fetched ? [`${facts.fetched} requests; not in the picture`] : []),
    element(
      'p',
      { class: 'outcome' },
      `${facts.in_words}. `,
      element('span', { class: 'small quiet' }, `(outcome ${facts.outcome}, reason ${facts.reason}, rule ${facts.rule})`),
    ),
  ];
}

function criterion(item) {
  const [words, kind] = ANSWERS[item.answer];
  return element(
    'li',
    {},
    element('p', { class: 'question' }, item.question, ' ', element('span', { class: `tag ${kind}` }, words)),
    element('p', { class: 'because' }, item.because),
    item.steps.length ? element('ul', { class: 'steps' }, ...item.steps.map((step) => element('li', {}, step))) : null,
    item.findings.length ? element('ul', {}, ...item.findings.map(finding)) : null,
  );
}

function section(title, items) {
  return element('section', {}, element('h4', {}, title), element('ul', {}, ...items));
}

function sectionIfAny(title, texts) {
  return texts.length ? [section(title, texts.map((text) => element('li', {}, text)))] : [];
}

function finding(item) {
  const what = item.label || (item.quote ? `“${item.quote}”` : 'Result');
  const code = item.code && !what.includes(item.code) ? ` ${item.code}` : '';
  const text = item.from_text ? ', chart text' : '';
  return element(
    'li',
    {},
    what,
    code ? element('span', { class: 'quiet', title: item.system }, code) : null,
    `, ${item.when}${text} `,
    element('code', { class: 'small quiet' }, item.source),
  );
}
