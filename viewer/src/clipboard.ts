/**
 * Copies text to the clipboard, on plain http too: `navigator.clipboard` is there only on https and on this machine.
 *
 * What no way can copy is shown in a dialog, selected, to be copied by hand.
 */
import { button, element } from "./dom";
import type { Notice } from "./notice";
import type { Language, Word } from "./words";

/** Copy a text and say so by `copied`; or show it where the browser does not allow to copy. */
export async function copyText(text: string, copied: Word, notice: Notice, language: Language): Promise<void> {
  if (copyBySelection(text) || (await copyByClipboard(text))) notice.say(language.t(copied));
  else showToCopy(text, language);
}

async function copyByClipboard(text: string): Promise<boolean> {
  try {
    // Undefined on a page that the browser does not call secure, whatever its type says.
    await (navigator.clipboard as Clipboard | undefined)!.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Copy as Ctrl+C would: at once, within the click, which is the only moment at which a browser allows it. */
function copyBySelection(text: string): boolean {
  const before = document.activeElement;
  const field = element("textarea", { class: "copy-source", readonly: true, tabindex: -1, "aria-hidden": "true" });
  field.value = text;
  document.body.append(field);
  field.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  }
}

function showToCopy(text: string, language: Language): void {
  const field = element("textarea", { class: "copy-text", readonly: true, rows: 3, "aria-label": language.t("copy_by_hand") });
  field.value = text;
  const dialog = element("dialog", { class: "copy panel" }, element("p", {}, language.t("copy_by_hand")), field);
  dialog.append(button("quiet", language.t("close"), () => dialog.close(), language.t("close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  field.select();
}
