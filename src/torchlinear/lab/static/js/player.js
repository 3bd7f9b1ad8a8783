/* The clock of the page. Time is logarithmic, so that the first steps are as easy to see as the last thousand. */

import { BEFORE, frameAt, placeOf, timeAt } from "./run.js";
import { calm, clamp } from "./dom.js";

const SECONDS = 7; // of the user's time for a whole run at speed 1

export class Player {
  place = -BEFORE;
  playing = false;
  speed = 1;
  by = "passes";
  run = null;
  #views = [];
  #told = [];
  #waiting = false;
  #before = 0;

  /** `draw(player)` is called before the next repaint whenever the picture may have changed. */
  addView(draw) {
    this.#views.push(draw);
  }

  /** `tell(player)` is called when play begins or stops. */
  onPlay(tell) {
    this.#told.push(tell);
  }

  get first() {
    return this.run ? this.run.span(this.by)[0] : 1;
  }

  get last() {
    if (!this.run) return 0;
    const [first, last] = this.run.span(this.by);
    return placeOf(last, first);
  }

  get time() {
    return timeAt(this.place, this.first);
  }

  get atEnd() {
    return this.place >= this.last - 1e-9;
  }

  /** Show another run: from the start, or where the old one was (and stay at the end if that was the end). */
  show(run, { keep }) {
    const [ended, time] = [this.run !== null && this.atEnd, this.time];
    this.run = run;
    if (keep) this.place = ended ? this.last : clamp(placeOf(time, this.first), -BEFORE, this.last);
    else this.place = calm() ? this.last : -BEFORE;
    this.draw();
  }

  /** More frames have come. */
  grown({ follow }) {
    if (follow) this.place = this.last;
    this.draw();
  }

  play() {
    if (this.playing || !this.run) return;
    if (this.atEnd && this.run.over) this.place = -BEFORE;
    this.playing = true;
    this.#before = 0;
    this.#tell();
    this.draw();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.#tell();
  }

  seek(place) {
    this.place = clamp(place, -BEFORE, this.last);
    this.draw();
  }

  /** On to the next recorded frame of any runner, or back to the one before. */
  step(back = false) {
    this.pause();
    if (!this.run) return;
    const [time, near] = [this.time, 1 + 1e-7];
    let best = null;
    for (const track of this.run.tracks.values()) {
      const times = track[this.by];
      if (!times.length) continue;
      const at = frameAt(times, back ? time / near : time * near);
      let index = back ? at : at + 1;
      while (!back && index < times.length && times[index] <= time * near) index++;
      const found = times[index];
      if (found === undefined || (back && found >= time)) continue;
      if (best === null || (back ? found > best : found < best)) best = found;
    }
    if (best !== null) this.seek(placeOf(best, this.first));
  }

  setClock(by) {
    const share = (this.place + BEFORE) / (this.last + BEFORE || 1);
    this.by = by;
    this.seek(-BEFORE + share * (this.last + BEFORE));
  }

  /** Ask for a repaint; many calls before it make one. */
  draw() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame((now) => this.#paint(now));
  }

  #paint(now) {
    this.#waiting = false;
    if (this.playing) {
      const passed = this.#before ? Math.min(0.1, (now - this.#before) / 1000) : 0;
      this.#before = now;
      this.place = Math.min(this.last, this.place + ((this.last + BEFORE) / SECONDS) * this.speed * passed);
      if (this.atEnd && this.run.over) this.pause();
    }
    for (const draw of this.#views) draw(this);
    if (this.playing) this.draw();
  }

  #tell() {
    for (const tell of this.#told) tell(this);
  }
}
