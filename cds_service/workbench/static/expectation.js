'use strict';

/* What a fixture expects beside what is shown: the tag of the list stands for the day, the hook and the drafts of the
 * fixture, and for a service without settings of its own. Where another answer is shown, the page says which differ. */

const SILENT_MODES = 'an earlier answer keeps the card away, or the service is switched off or runs silently';

/* The answer in the word of the list's tags; empty for a refusal. */
export function shownTag(answer, cards, reasons) {
  if (cards.length) return cards[0].indicator;
  if (answer.status === 412) return 'cannot tell';
  if (answer.status !== 200) return '';
  return reasons && reasons.outcome !== 'fired' ? reasons.tag : 'kept back';
}

/* One sentence, or nothing where both are the same. `asked` has what was asked: `day` (null: today), `daysLater`,
 * `hook`, `ownHook`, `draftsChanged`; `settings` the names of those that are not the default. */
export function difference(expected, shown, asked, settings) {
  if (!shown || expected === shown) return '';
  const causes = [];
  if (asked.day) causes.push(`the day asked about is ${asked.day}, ${inDays(asked.daysLater)}`);
  if (asked.hook !== asked.ownHook) causes.push(`the hook is ${asked.hook} and not ${asked.ownHook}`);
  else if (asked.draftsChanged) causes.push('the draft orders are not those of the fixture');
  if (settings) causes.push(`the service runs with settings of its own (${settings})`);
  if (shown === 'kept back') causes.push(SILENT_MODES);
  if (!causes.length) causes.push('neither day, hook, drafts nor settings account for it; see Why');
  return `The list expects “${expected}”, the answer is “${shown}”: ${causes.join('; ')}.`;
}

export function inDays(days) {
  return days === 1 ? '1 day later' : `${days} days later`;
}
