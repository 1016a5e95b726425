// The page of torrents. In the order of names the node tells a page of them at a time (`after`). Any other order, and a
// search, needs all names: the page then walks through the whole list and keeps the first kKept of that order, so
// that the order holds among all torrents and the browser's memory stays bounded.

import {askJson} from './ask.js';
import {bytes, count, el, plural, say, Table} from './dom.js';

const kPageRows = 50;
const kWalkRows = 1000;  // the most that one answer has
const kKept = 1000;
const kToldMs = 1000;  // how often a walk under way shows what it has found so far
const kSettleMs = 300;  // after the last key, before a search begins

const kSorts = {
  name: {label: 'Name', value: torrent => torrent.name},
  length: {label: 'Size', value: torrent => torrent.length, number: true},
  complete: {label: 'Seeders', value: torrent => torrent.complete, number: true},
  incomplete: {label: 'Others', value: torrent => torrent.incomplete, number: true},
};

function compareBy(key, descending) {
  const value = kSorts[key].value;
  const sign = descending ? -1 : 1;
  return (a, b) => {
    const x = value(a);
    const y = value(b);
    return x < y ? -sign : x > y ? sign : a.name < b.name ? -1 : 1;
  };
}

const addressOf = name => '#/torrent/' + encodeURIComponent(name);

export class TorrentsPage {
  constructor(query, act) {
    this.title = 'Torrents';
    this.act = act;
    this.search = query.get('search') || '';
    this.sort = kSorts[query.get('sort')] ? query.get('sort') : 'name';
    this.descending = query.get('descending') === '1';
    this.afters = [query.get('after') || ''];  // of the pages up to this one
    this.first = 0;  // row of a walk's result that is shown first
    this.result = null;  // of a walk: {torrents, seen, matched}
    this.walk = null;  // the AbortController of the one under way
    this.build();
  }

  get walks() {
    return this.search !== '' || this.sort !== 'name' || this.descending;
  }

  build() {
    this.input = el('input', {type: 'search', id: 'search', maxlength: 255, autocomplete: 'off', spellcheck: 'false'});
    this.input.value = this.search;
    this.input.addEventListener('input', () => {
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.choose({search: this.input.value.trim()}), kSettleMs);
    });
    this.status = el('p', {class: 'note', role: 'status', id: 'listed'});
    this.table = new Table('Torrents', this.columns(), 'list titled');
    this.table.head.addEventListener('click', event => this.onSort(event.target.closest('button')));
    this.again = el('button', {type: 'button', onclick: () => this.begin()}, 'Look again');
    this.stopper = el('button', {type: 'button', hidden: true, onclick: () => this.walk && this.walk.abort()}, 'Stop');
    this.previous = el('button', {type: 'button', onclick: () => this.turn(-1)}, 'Previous');
    this.next = el('button', {type: 'button', onclick: () => this.turn(1)}, 'Next');
    const form = el('form', {role: 'search', class: 'row', onsubmit: event => event.preventDefault()},
      el('label', {for: 'search'}, 'Search names'), this.input, this.stopper, this.again);
    this.elements = [
      el('h1', {tabindex: -1}, 'Torrents'), form, this.status, this.table.element,
      el('nav', {'aria-label': 'Pages of the list', class: 'row'}, this.previous, this.next),
    ];
  }

  columns() {
    return [...Object.entries(kSorts).map(([key, sort]) => ({
      label: sort.label, number: sort.number,
      sort: {key, direction: key !== this.sort ? 'none' : this.descending ? 'descending' : 'ascending'},
    })), {label: 'Content'}];
  }

  onSort(button) {
    if (!button) return;
    const key = button.dataset.sort;
    // Of numbers people want the largest first.
    const descending = key === this.sort ? !this.descending : Boolean(kSorts[key].number);
    this.choose({sort: key, descending});
    this.table.head.querySelector(`[data-sort=${key}]`).focus();
  }

  choose(choice) {
    Object.assign(this, choice, {afters: [''], first: 0});
    this.table.setColumns(this.columns());
    this.remember();
    this.begin();
  }

  // In the address, so that it can be kept and sent, and without a step of the browser's history for each key.
  remember() {
    const query = new URLSearchParams();
    if (this.search) query.set('search', this.search);
    if (this.sort !== 'name') query.set('sort', this.sort);
    if (this.descending) query.set('descending', '1');
    const after = this.afters[this.afters.length - 1];
    if (after && !this.walks) query.set('after', after);
    const text = query.toString();
    history.replaceState(null, '', '#/torrents' + (text ? '?' + text : ''));
  }

  begin() {
    this.act(signal => (this.walks ? this.walkAll(signal) : this.showPage(signal)));
  }

  turn(by) {
    if (this.walks) {
      this.first += by * kPageRows;
      this.showResult();
    } else {
      if (by > 0) this.afters.push(this.lastName);
      else if (this.afters.length > 1) this.afters.pop();
      else this.afters = [''];
      this.remember();
      this.begin();
    }
    this.table.element.scrollIntoView();
  }

  // Every few seconds. What a walk has found stays as it is until the person asks again.
  async refresh(signal) {
    if (!this.walks) await this.showPage(signal);
    else if (!this.result && !this.walk) await this.walkAll(signal);
  }

  async showPage(signal) {
    if (this.walk) this.walk.abort();
    const after = this.afters[this.afters.length - 1];
    const list = await askJson('torrents?' + new URLSearchParams({limit: kPageRows, after}), signal);
    if (this.walks || after !== this.afters[this.afters.length - 1]) return;
    const torrents = list.torrents;
    this.lastName = torrents.length ? torrents[torrents.length - 1].name : after;
    this.result = null;
    this.setRows(torrents, after ? 'no more torrents' : 'none registered yet');
    const where = this.afters.length > 1 ? ', page ' + this.afters.length : '';
    say(this.status, `${plural(torrents.length, 'torrent')} in the order of names${where}${list.more ? ', more follow' : ''}`);
    this.previous.disabled = after === '';
    this.next.disabled = !list.more;
    this.again.hidden = true;
  }

  async walkAll(signal) {
    if (this.walk) this.walk.abort();
    const walk = new AbortController();
    this.walk = walk;
    const stop = () => walk.abort();
    signal.addEventListener('abort', stop);
    this.stopper.hidden = false;
    this.again.hidden = true;
    const found = {torrents: [], seen: 0, matched: 0, whole: false};
    try {
      await this.collect(found, walk.signal);
    } catch (error) {
      if (!walk.signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      if (this.walk === walk) {
        this.walk = null;
        this.stopper.hidden = true;
        this.again.hidden = false;
        this.show(found);
      }
    }
  }

  async collect(found, signal) {
    const wanted = this.search.toLowerCase();
    const matches = torrent => !wanted || torrent.name.toLowerCase().includes(wanted) || torrent.content.startsWith(wanted);
    const compare = compareBy(this.sort, this.descending);
    let told = performance.now();
    for (let after = '', more = true; more;) {
      const list = await askJson('torrents?' + new URLSearchParams({limit: kWalkRows, after}), signal);
      const matching = list.torrents.filter(matches);
      found.seen += list.torrents.length;
      found.matched += matching.length;
      found.torrents = found.torrents.concat(matching).sort(compare).slice(0, kKept);
      more = list.more && list.torrents.length > 0;
      if (!more) found.whole = true;
      else after = list.torrents[list.torrents.length - 1].name;
      if (performance.now() - told < kToldMs) continue;
      told = performance.now();
      this.show(found);
    }
  }

  show(found) {
    this.result = found;
    this.showResult();
  }

  showResult() {
    const {torrents, seen, matched, whole} = this.result;
    const rows = torrents.slice(this.first, this.first + kPageRows);
    this.setRows(rows, whole ? 'no name matches' : 'none yet');
    const what = this.search ? `${count(matched)} of ${plural(seen, 'torrent')} match` : plural(seen, 'torrent');
    const part = torrents.length > kPageRows ? `, ${this.first + 1} to ${this.first + rows.length} shown` : '';
    const kept = matched > kKept ? ` of the first ${count(kKept)} in this order` : '';
    say(this.status, what + part + kept + (whole ? '' : this.walk ? '; looking on' : '; stopped before the end'));
    this.previous.disabled = this.first === 0;
    this.next.disabled = this.first + kPageRows >= torrents.length;
  }

  setRows(torrents, none) {
    const wanted = this.search.toLowerCase();
    this.table.setRows(torrents.map(torrent => ({
      class: torrent.complete ? null : 'unseeded',
      cells: [
        el('a', {href: addressOf(torrent.name), class: 'name'}, torrent.name), bytes(torrent.length), count(torrent.complete),
        count(torrent.incomplete), el('code', {class: 'whole', title: torrent.content}, torrent.content.slice(0, 12) + '…'),
      ],
    })), /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(wanted)
      ? el('a', {href: '#/key/' + wanted}, 'No name matches; look for it as an info-hash') : none);
  }
}
