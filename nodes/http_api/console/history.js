// The last hour as this page has seen it: kept in the browser, because what must outlive the page is a monitoring
// system's (docs/deploy has one), and a node that nobody looks at pays nothing. At most kSamplesMax samples; reloading
// the page keeps them.

import {el, say, svg, update} from './dom.js';

const kHourMs = 3600 * 1000;
const kSamplesMax = 1800;
const kAxisMinMs = 5 * 60 * 1000;
const kGapMs = 30 * 1000;  // nobody looked in between: the line is broken
const kWidth = 360;
const kHeight = 56;

// What is drawn: a value of a sample and the one before it; null: there is none.
const rate = key => (sample, before) => before && sample[key] >= before[key]
    ? (sample[key] - before[key]) * 1000 / (sample.at - before.at) : null;
const kCharts = [
  {title: 'Slots chosen a second', value: rate('chosen'), text: value => value.toFixed(1)},
  {title: 'Requests a second here', value: rate('requests'), text: value => value.toFixed(1)},
  {title: 'Largest lag, slots', value: sample => sample.lag, text: value => value.toFixed(0)},
  {title: 'Claims', value: sample => sample.claims, text: value => value.toLocaleString('en-US')},
];

export class History {
  constructor() {
    this.samples = [];
    this.node = null;
  }

  load(node) {
    this.node = node;
    try {
      const kept = JSON.parse(sessionStorage.getItem('bytetorrent.history'));
      if (kept && kept.node === node) this.samples = kept.samples;
    } catch {
      this.samples = [];
    }
  }

  save() {
    try {
      sessionStorage.setItem('bytetorrent.history', JSON.stringify({node: this.node, samples: this.samples}));
    } catch {
      // The browser's room is full: the history begins anew with the next page.
    }
  }

  add(sample) {
    this.samples.push(sample);
    const oldest = sample.at - kHourMs;
    const keep = this.samples.findIndex(kept => kept.at >= oldest);
    this.samples.splice(0, Math.max(keep, this.samples.length - kSamplesMax));
  }
}

export class Charts {
  constructor(history) {
    this.history = history;
    this.figures = kCharts.map(chart => {
      const now = el('output', {});
      const range = el('span', {class: 'note'});
      const picture = svg('svg', {viewBox: `0 0 ${kWidth} ${kHeight}`, role: 'img', preserveAspectRatio: 'none'});
      return {chart, now, range, picture, element: el('figure', {}, el('figcaption', {}, chart.title, now), picture, range)};
    });
    this.element = el('div', {class: 'charts'}, ...this.figures.map(figure => figure.element));
  }

  draw() {
    for (const figure of this.figures) this.drawOne(figure);
  }

  drawOne({chart, now, range, picture}) {
    const samples = this.history.samples;
    const end = samples.length ? samples[samples.length - 1].at : 0;
    const points = samples.map((sample, i) => {
      const before = i > 0 && sample.at - samples[i - 1].at < kGapMs ? samples[i - 1] : null;
      return {at: sample.at, value: chart.value(sample, before)};
    }).filter(point => point.value !== null && Number.isFinite(point.value));
    if (!points.length) {
      say(now, '');
      say(range, 'nothing to draw yet');
      return;
    }
    const values = points.map(point => point.value);
    const most = Math.max(...values);
    const last = chart.text(values[values.length - 1]);
    const minutes = Math.max(1, Math.round((end - points[0].at) / 60000));
    const told = `lowest ${chart.text(Math.min(...values))}, highest ${chart.text(most)} in ${minutes} min`;
    say(now, last);
    say(range, told);
    picture.setAttribute('aria-label', `${chart.title}: now ${last}, ${told}`);
    update(picture, [svg('path', {class: 'grid', d: `M0 ${kHeight - 1}H${kWidth}M0 1H${kWidth}`}), svg('path', {class: 'line', d: this.path(points, end, most)})]);
  }

  // From the first point, or kAxisMinMs ago, at the left to now at the right; from 0 to `most`.
  path(points, end, most) {
    const span = Math.max(kAxisMinMs, end - points[0].at);
    let before = null;
    return points.map(point => {
      const x = kWidth - (end - point.at) * kWidth / span;
      const y = kHeight - 2 - (most > 0 ? point.value * (kHeight - 5) / most : 0);
      const begins = before === null || point.at - before >= kGapMs;
      before = point.at;
      return `${begins ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}${begins ? 'h.5' : ''}`;
    }).join('');
  }
}
