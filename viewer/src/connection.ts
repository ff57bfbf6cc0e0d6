/**
 * Whether the service can be reached. Where it cannot, this looks for it again by itself, with growing pauses, at once when the
 * browser comes online or the user does something; what waits goes on as soon as it is back.
 */

/** Milliseconds between two looks: the first, by what each is longer, and the longest. */
const [FIRST_PAUSE, GROWTH, LONGEST_PAUSE] = [1000, 1.7, 30_000];
/** Milliseconds for which all requests may stay without answer until the service is looked for. */
const PATIENCE = 8000;
/** Looks that follow the user's actions are at least this many milliseconds apart. */
const BETWEEN_ACTIONS = 1000;
/** How often a request is sent again that fails although the service is there. */
const MOST_TRIES = 3;

/** A request got no answer: the service is gone, or the network to it. */
export class Unreachable extends Error {}

export class Connection {
  /** Aborted when the service is found to be gone: requests that hang end then. */
  private underWay = new AbortController();
  private looking: Promise<boolean> | undefined;
  private timer: number | undefined;
  private pause = FIRST_PAUSE;
  private lookedAt = 0;
  private answeredAt = 0;
  private gone = false;
  private readonly listeners: (() => void)[] = [];
  private waiting: (() => void)[] = [];

  /** `look` asks the service for a sign of life; it resolves false, never rejects, where none comes. */
  constructor(private readonly look: () => Promise<boolean>) {
    addEventListener("online", () => this.gone && void this.check());
    for (const action of ["pointerdown", "keydown", "wheel"]) {
      addEventListener(action, () => this.gone && performance.now() - this.lookedAt > BETWEEN_ACTIONS && void this.check(), { capture: true, passive: true });
    }
  }

  get lost(): boolean {
    return this.gone;
  }

  /** Call the listener when the service is gone and when it is back. */
  changed(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Return the answer to a request; `Unreachable` where none comes because the service is gone. */
  async answer(ask: (signal: AbortSignal) => Promise<Response>, signal?: AbortSignal): Promise<Response> {
    const patience = setTimeout(() => this.doubt(), PATIENCE);
    try {
      const answer = await ask(AbortSignal.any([this.underWay.signal, ...(signal ? [signal] : [])]));
      // A gateway says that there is nobody behind it.
      if (answer.status === 502 || answer.status === 504) throw new Unreachable(String(answer.status));
      this.answeredAt = performance.now();
      return answer;
    } catch (cause) {
      if (signal?.aborted) throw cause;
      if (!this.gone) void this.check();
      throw new Unreachable((cause as Error).message);
    } finally {
      clearTimeout(patience);
    }
  }

  /** Do what needs the service; as often as it is `Unreachable` again once the service is back. */
  async retrying<T>(request: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      await this.back();
      try {
        return await request();
      } catch (cause) {
        if (!(cause instanceof Unreachable)) throw cause;
        if ((await this.check()) && tries >= MOST_TRIES) throw cause;
      }
    }
  }

  /** As `retrying`, for what CesiumJS fetches by itself: its errors do not tell whether the service is gone. */
  fetching<T>(load: () => Promise<T>): Promise<T> {
    return this.retrying(async () => {
      try {
        return await load();
      } catch (cause) {
        if (await this.check()) throw cause;
        throw new Unreachable(String(cause));
      }
    });
  }

  /** Look for the service now; true where it is there. Everything that failed at once looks once. */
  check(): Promise<boolean> {
    this.looking ??= this.lookOnce().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  /** A request is still without answer: look for the service, unless it answers others. */
  private doubt(): void {
    if (performance.now() - this.answeredAt >= PATIENCE) void this.check();
  }

  /** Resolves when the service is not gone. */
  private back(): Promise<void> {
    return this.gone ? new Promise((resolve) => this.waiting.push(resolve)) : Promise.resolve();
  }

  private async lookOnce(): Promise<boolean> {
    clearTimeout(this.timer);
    const there = await this.look();
    this.lookedAt = performance.now();
    if (there) this.pause = FIRST_PAUSE;
    else {
      this.timer = setTimeout(() => void this.check(), this.pause);
      this.pause = Math.min(this.pause * GROWTH, LONGEST_PAUSE);
    }
    if (there === this.gone) this.turn();
    return there;
  }

  private turn(): void {
    this.gone = !this.gone;
    if (this.gone) {
      this.underWay.abort();
      this.underWay = new AbortController();
    } else {
      const { waiting } = this;
      this.waiting = [];
      for (const goOn of waiting) goOn();
    }
    for (const listener of this.listeners) listener();
  }
}
