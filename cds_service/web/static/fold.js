'use strict';

/* Folds of a long page: closed on a phone, where only the headings are read first; open elsewhere, and all of them on
 * paper. Without a script they are open. */

const folds = [...document.querySelectorAll('details.fold')];
let closedBeforePrint = [];

function openTarget() {
  const target = document.getElementById(window.location.hash.slice(1));
  const fold = target && target.closest('details.fold');
  if (!fold) return;
  fold.open = true;
  target.scrollIntoView();
}

if (window.matchMedia('(max-width: 40rem)').matches) folds.forEach((fold) => { fold.open = false; });
openTarget();
window.addEventListener('hashchange', openTarget);
// The same heading once more is no change of the address.
document.addEventListener('click', (event) => {
  if (event.target.closest('a[href^="#"]')) setTimeout(openTarget);
});
window.addEventListener('beforeprint', () => {
  closedBeforePrint = folds.filter((fold) => !fold.open);
  folds.forEach((fold) => { fold.open = true; });
});
window.addEventListener('afterprint', () => closedBeforePrint.forEach((fold) => { fold.open = false; }));
