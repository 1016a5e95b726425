// The page of one torrent: what it is, its files, and who has which pieces of it.

import {askBytes, askJson} from './ask.js';
import {bytes, count, el, facts, plural, say, Table, update} from './dom.js';
import {bar, copies, countOf, rangesOf} from './pieces.js';

const kPeersRows = 50;
const kFileRows = 200;

// BEP 9, as `bytetorrent inspect` writes it.
function magnetOf(torrent) {
  const topics = [];
  if (torrent.info_hash_v1) topics.push('xt=urn:btih:' + torrent.info_hash_v1);
  if (torrent.info_hash_v2) topics.push('xt=urn:btmh:1220' + torrent.info_hash_v2);
  const trackers = torrent.trackers.map(tracker => 'tr=' + encodeURIComponent(tracker));
  return 'magnet:?' + [...topics, 'dn=' + encodeURIComponent(torrent.name), ...trackers].join('&');
}

function percent(part, whole) {
  // Not 100 % before the last piece.
  return whole ? Math.floor(part * 1000 / whole) / 10 + '\u00a0%' : '–';
}

export class TorrentPage {
  // `key`: a name, or with `byName` false an info-hash or content id.
  constructor(key, byName, act) {
    this.title = key;
    this.act = act;
    this.path = 'torrents/' + encodeURIComponent(key);
    this.query = byName ? '?by=name' : '?';
    this.cursors = ['start'];  // of the pages of peers up to this one
    this.heading = el('h1', {tabindex: -1, class: 'name'}, key);
    this.facts = el('dl', {class: 'facts'});
    this.get = el('div', {class: 'row'});
    this.files = new Table('Files', [{label: 'Path'}, {label: 'Size', number: true}], 'list titled');
    this.moreFiles = el('p', {class: 'note'});
    this.peersStatus = el('p', {class: 'note', role: 'status', id: 'peers'}, 'Asking this node…');
    this.available = el('div', {class: 'available'});
    this.peers = new Table('Peers', [{label: 'Peer'}, {label: 'Has'}, {label: 'Pieces'}], 'titled');
    this.previous = el('button', {type: 'button', onclick: () => this.turn(-1)}, 'Previous');
    this.next = el('button', {type: 'button', onclick: () => this.turn(1)}, 'Next');
    this.elements = [
      el('p', {}, el('a', {href: '#/torrents'}, 'All torrents')), this.heading, this.facts, this.get, el('h2', {}, 'Peers'), this.peersStatus, this.available,
      this.peers.element, el('nav', {'aria-label': 'Pages of peers', class: 'row'}, this.previous, this.next),
      el('h2', {}, 'Files'), this.files.element, this.moreFiles,
    ];
  }

  async refresh(signal) {
    if (!this.torrent) await this.showTorrent(signal);
    await this.showPeers(signal);
  }

  async showTorrent(signal) {
    const torrent = await askJson(this.path + '/metainfo' + this.query, signal);
    this.torrent = torrent;
    say(this.heading, torrent.name);
    update(this.facts, facts([
      ['Size', `${bytes(torrent.length)} (${plural(torrent.length, 'byte')})`],
      ['Pieces', `${count(torrent.piece_count)} of ${bytes(torrent.piece_length)}`],
      ['Format', torrent.format],
      ['Content', el('code', {}, torrent.content)],
      ...(torrent.info_hash_v1 ? [['Info-hash, version 1', el('code', {}, torrent.info_hash_v1)]] : []),
      ...(torrent.info_hash_v2 ? [['Info-hash, version 2', el('code', {}, torrent.info_hash_v2)]] : []),
    ]));
    this.showGet(torrent);
    const shown = torrent.files.slice(0, kFileRows);
    this.files.setRows(shown.map(file => ({cells: [el('span', {class: 'name'}, file.path), bytes(file.length)]})), 'no files');
    const left = torrent.more_files + torrent.files.length - shown.length;
    say(this.moreFiles, left ? `and ${plural(left, 'file')} more, which the .torrent names` : '');
  }

  showGet(torrent) {
    const link = magnetOf(torrent);
    const field = el('input', {type: 'text', id: 'magnet', readonly: true, value: link});
    field.addEventListener('focus', () => field.select());
    update(this.get, [
      el('button', {type: 'button', id: 'download', onclick: () => this.act(signal => this.download(signal))}, 'Download the .torrent'),
      el('a', {href: link, class: 'button'}, 'Open the magnet link'),
      el('label', {for: 'magnet'}, 'Magnet link'), field,
    ]);
  }

  // By the script, because a link could not show the token.
  async download(signal) {
    const file = URL.createObjectURL(await askBytes(this.path + this.query, signal));
    el('a', {href: file, download: this.torrent.name + '.torrent'}).click();
    setTimeout(() => URL.revokeObjectURL(file), 60000);
  }

  turn(by) {
    if (by > 0 && this.nextCursor !== undefined) this.cursors.push(this.nextCursor);
    else if (by < 0 && this.cursors.length > 1) this.cursors.pop();
    this.act(signal => this.showPeers(signal));
  }

  async showPeers(signal) {
    const cursor = this.cursors[this.cursors.length - 1];
    const answer = await askJson(`${this.path}/peers${this.query}&limit=${kPeersRows}&cursor=${cursor}`, signal);
    if (cursor !== this.cursors[this.cursors.length - 1]) return;
    const pieceCount = answer.piece_count;
    const lists = answer.peers.map(peer => rangesOf(peer, pieceCount));
    this.nextCursor = answer.cursor;
    say(this.peersStatus, `${plural(answer.complete, 'seeder')}, ${plural(answer.incomplete, 'other peer')}` +
        (answer.peers.length < answer.complete + answer.incomplete ? `; ${count(answer.peers.length)} of them here` : ''));
    this.showAvailable(lists, pieceCount);
    this.peers.setRows(answer.peers.map((peer, i) => this.peerRow(peer, lists[i], pieceCount)), 'nobody has claimed any of it');
    this.previous.disabled = this.cursors.length < 2;
    this.next.disabled = answer.cursor === undefined;
  }

  showAvailable(lists, pieceCount) {
    const {fewest, some} = copies(lists, pieceCount);
    const missing = pieceCount - countOf(some);
    const words = !lists.length ? 'Nobody is here to fetch it from.' : missing
      ? `${plural(missing, 'piece')} of ${count(pieceCount)} with none of the peers below: it cannot be completed from them.`
      : `Each piece is with at least ${plural(fewest, 'peer')} of those below.`;
    update(this.available, [el('p', {class: missing ? 'bad' : null}, words), bar(some, pieceCount, words)]);
  }

  peerRow(peer, ranges, pieceCount) {
    const has = countOf(ranges);
    const words = `${count(has)} of ${plural(pieceCount, 'piece')}`;
    return {
      cells: [
        el('code', {class: 'whole'}, peer.peer), peer.complete ? 'all: a seeder' : `${words} (${percent(has, pieceCount)})`,
        bar(ranges, pieceCount, words),
      ],
    };
  }
}
