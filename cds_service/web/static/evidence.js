// The search on the page of code sets: narrows what the HTML lists. Nothing leaves the browser.
'use strict';

(function () {
  const form = document.getElementById('search');
  const words = document.getElementById('words');
  const found = document.getElementById('found');

  // C50.911, c50911 and "C50 911" are the same code.
  const plain = (text) => text.toLowerCase().replace(/[.\s-]/g, '');

  const sets = Array.from(document.querySelectorAll('.set'), (element) => ({
    element,
    name: element.querySelector('h3').textContent.toLowerCase(),
    groups: Array.from(element.querySelectorAll('ul'), (list) => ({
      list,
      heading: list.previousElementSibling,
      codes: Array.from(list.children, (item) => ({
        item,
        code: plain(item.querySelector('code').textContent),
        isCategory: item.className === 'category',
        text: item.textContent.toLowerCase(),
      })),
    })),
  }));
  const roles = document.querySelectorAll('.role');

  // The longest ICD code has seven characters; C50 stands for C50.911, but 174 for no longer number of SNOMED CT.
  const longestIcd = 7;

  const isCode = (entry, code) => entry.code.startsWith(code)
    || (entry.isCategory && code.length <= longestIcd && code.startsWith(entry.code));

  const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;

  // Shows the codes of one set that are wanted, all of them where the set's own name is; returns their number.
  function narrow(set, asked) {
    const whole = asked.words.every((word) => set.name.includes(word));
    let total = 0;
    for (const group of set.groups) {
      let shown = 0;
      for (const entry of group.codes) {
        const wanted = whole || isCode(entry, asked.code) || asked.words.every((word) => entry.text.includes(word));
        entry.item.hidden = !wanted;
        shown += wanted ? 1 : 0;
      }
      group.list.hidden = group.heading.hidden = shown === 0;
      total += shown;
    }
    set.element.hidden = total === 0;
    return total;
  }

  function search() {
    const text = words.value.trim().toLowerCase();
    const asked = { words: text.split(/\s+/), code: plain(text) };
    const totals = sets.map((set) => narrow(set, asked)).filter((total) => total > 0);
    for (const role of roles) {
      role.hidden = !role.querySelector('.set:not([hidden])');
    }
    const codes = totals.reduce((sum, total) => sum + total, 0);
    found.textContent = !text ? '' : codes === 0 ? 'No code and no set matches.'
      : `${counted(codes, 'code', 'codes')} in ${counted(totals.length, 'set', 'sets')}`;
  }

  form.addEventListener('submit', (event) => event.preventDefault());
  words.addEventListener('input', search);
  form.hidden = false;
  // A browser that goes back fills the field in again.
  search();
}());
