/** Tells, once and calmly, that the service cannot be reached, and that it is back. */
import { type Connection, Unreachable } from "./connection";
import type { Notice } from "./notice";
import type { Language } from "./words";

export function showOutages(connection: Connection, notice: Notice, language: Language): void {
  let shown: string | undefined;
  const show = () => {
    shown = language.t("connection_lost");
    notice.problem(shown, { label: language.t("try_now"), run: () => void connection.check().then((there) => there || show()) }, true);
  };
  const hide = () => {
    if (shown) notice.solved(shown);
    shown = undefined;
  };
  connection.changed(() => {
    hide();
    if (connection.lost) show();
    else notice.say(language.t("connection_back"));
  });
  language.shown(() => {
    if (!shown) return;
    hide();
    show();
  });
}

/** What went wrong, in the user's language: a browser's own words for a request without answer are nobody's. */
export function causeInWords(cause: unknown, language: Language): string {
  return cause instanceof Unreachable ? language.t("no_answer") : (cause as Error).message;
}
