// Copy buttons: shown only where there is a script; without a secure context the text is selected and copied the old way.
"use strict";

function selectText(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

async function copyText(node) {
  if (navigator.clipboard && isSecureContext) {
    await navigator.clipboard.writeText(node.textContent);
    return true;
  }
  selectText(node);
  return document.execCommand("copy");
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const words = button.textContent;
  button.hidden = false;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    const node = document.getElementById(button.dataset.copy);
    const copied = await copyText(node).catch(() => false);
    if (!copied) selectText(node);
    button.textContent = copied ? button.dataset.done : button.dataset.failed;
    setTimeout(() => { button.textContent = words; }, 1800);
  });
}
