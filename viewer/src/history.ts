/** The states a feature had and will have, as a list of days to go to. */
import type { Api, Feature } from "./api";
import { button, element, icon } from "./dom";
import type { Identity } from "./pick";
import type { Time } from "./time";
import type { Language } from "./words";

export class History {
  private open = false;

  constructor(
    private readonly api: Api,
    private readonly time: Time,
    private readonly language: Language,
  ) {}

  /** A closed list, which asks the service when it is opened; it stays open from feature to feature. */
  of(identity: Identity): HTMLElement {
    const list = element("ol", { class: "history-states" });
    const details = element("details", { class: "history", open: this.open }, element("summary", {}, icon("chevron"), this.language.t("history")), list);
    let asked = false;
    const show = () => {
      this.open = details.open;
      if (!details.open || asked) return;
      asked = true;
      void this.fill(list, identity);
    };
    details.addEventListener("toggle", show);
    return details;
  }

  private async fill(list: HTMLElement, identity: Identity): Promise<void> {
    list.replaceChildren(element("li", {}, this.language.t("loading")));
    try {
      const states = await this.api.versions(identity.collectionId, identity.featureId, this.language.code);
      list.replaceChildren(...states.map((state) => this.state(state)));
    } catch {
      list.replaceChildren(element("li", {}, this.language.t("history_failed")));
    }
  }

  private state({ properties }: Feature): HTMLElement {
    const { language, time } = this;
    const from = dayIn(String(properties.valid_from), time.zone);
    const until = properties.valid_to ? dayIn(String(properties.valid_to), time.zone) : undefined;
    const days = language.t("from_until", language.date(from), until ? language.date(until) : language.t("until_further"));
    const current = from <= time.shown && (!until || time.shown < until);
    const go = button("quiet", days, () => {
      time.day = from;
    }, days);
    if (current) go.setAttribute("aria-current", "date");
    return element("li", {}, go, element("span", {}, `${language.t("version")} ${properties.version}`));
  }
}

/** The day ("2024-06-01") of an instant by the clocks of a time zone. */
function dayIn(instant: string, timeZone: string): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" }).format(new Date(instant));
}
