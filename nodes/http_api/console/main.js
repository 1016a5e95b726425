// The console: which page the address after # names, who is signed in, and the overview that every page shows.

import {askJson, forgetToken, Refused, setToken, token} from './ask.js';
import {ClusterPage} from './cluster.js';
import {el, say, update} from './dom.js';
import {History} from './history.js';
import {TorrentPage} from './torrent.js';
import {TorrentsPage} from './torrents.js';

const kOverviewMs = 2000;
const kHiddenMs = 10000;  // while nobody looks: for the history
const kListsMs = 5000;

const byId = id => document.getElementById(id);

const context = {overview: null, history: new History()};
let page = null;  // {title, elements, onOverview?, refresh?, stop?}
let leaving = new AbortController();  // aborted when another page is opened

// '#/torrents?search=x' -> [['torrents'], its parameters]; null: it cannot be read.
function parseHash() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  try {
    return {path: path.split('/').map(decodeURIComponent), query: new URLSearchParams(query || '')};
  } catch {
    return null;
  }
}

class NoPage {
  constructor() {
    this.title = 'No such page';
    this.elements = [el('h1', {tabindex: -1}, 'No such page'), el('p', {}, el('a', {href: '#/cluster'}, 'To the cluster'))];
  }
}

function pageFor(address) {
  const [name, key] = address ? address.path : ['?'];
  if (name === '' || name === 'cluster') return new ClusterPage(context);
  if (name === 'torrents') return new TorrentsPage(address.query, act);
  if (name === 'torrent' && key) return new TorrentPage(key, true, act);
  if (name === 'key' && key) return new TorrentPage(key, false, act);
  return new NoPage();
}

function route(focus) {
  leaving.abort();
  leaving = new AbortController();
  const address = parseHash();
  page = pageFor(address);
  document.title = page.title + ' – ByteTorrent tracker';
  byId('page').replaceChildren(...page.elements);
  for (const link of document.querySelectorAll('nav a')) {
    const here = address && link.hash === '#/' + (address.path[0] === 'torrent' || address.path[0] === 'key' ? 'torrents' : address.path[0] || 'cluster');
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (focus) {
    scrollTo(0, 0);
    byId('page').querySelector('h1').focus();
  }
  say(byId('problem'), '');
  refreshPage(page, leaving.signal);
}

async function refreshPage(which, signal) {
  if (which.refresh && !document.hidden) await attempt('problem', signal, () => which.refresh(signal));
  if (!signal.aborted) setTimeout(() => signal.aborted || refreshPage(which, signal), kListsMs);
}

// Tells the person what goes wrong in `work`: by the form where a token is wanted, else in the line `line`.
async function attempt(line, signal, work) {
  try {
    await work();
    if (!signal.aborted) say(byId(line), '');
  } catch (error) {
    if (signal.aborted) return;
    const refused = error instanceof Refused;
    // What the node says to whoever shows no token is about programs' flags.
    if (refused && error.wantsToken) return showLogin(token() ? error.message : 'this node tells nothing without a token');
    if (!refused) console.error(error);
    say(byId(line), refused ? error.message : 'this page has failed: ' + error.message);
  }
}

// What a page does when the person asks for it.
const act = work => attempt('problem', leaving.signal, () => work(leaving.signal));

function showLogin(why) {
  say(byId('login-why'), why);
  if (!byId('login').hidden) return;
  byId('login').hidden = false;
  byId('page').hidden = true;
  byId('token').focus();
}

function hideLogin() {
  byId('login').hidden = true;
  byId('page').hidden = false;
  say(byId('login-why'), '');
}

function showOverview({status}) {
  say(byId('node'), `node ${status.node}, ${status.role}`);
  update(byId('alarms'), status.alarms.map(alarm => el('p', {class: 'alarm'}, alarm.text)));
  say(byId('sign'), token() ? 'Sign out' : 'Sign in');
}

function sampleOf({status, cluster}) {
  const lags = cluster.members.map(member => member.lag).filter(lag => lag !== undefined);
  return {
    at: Date.now(), chosen: status.chosen, claims: status.claims, requests: cluster.own.requests_total,
    lag: Math.max(cluster.own.applied_lag, ...lags),
  };
}

async function refreshOverview(signal) {
  const [status, cluster] = await Promise.all([askJson('status', signal), askJson('cluster', signal)]);
  context.overview = {status, cluster};
  if (context.history.node === null) context.history.load(status.cluster + '/' + status.node);
  context.history.add(sampleOf(context.overview));
  showOverview(context.overview);
  if (!byId('login').dataset.asked) hideLogin();
  if (page.onOverview) page.onOverview();
}

let overviews = new AbortController();  // aborted when others begin
function beginOverviews() {
  overviews.abort();
  overviews = new AbortController();
  const signal = overviews.signal;
  const again = async () => {
    await attempt('state', signal, () => refreshOverview(signal));
    if (!signal.aborted) setTimeout(() => signal.aborted || again(), document.hidden ? kHiddenMs : kOverviewMs);
  };
  again();
}

// Somebody else looks from now on.
function beginAnew() {
  context.overview = null;
  say(byId('node'), '');
  byId('alarms').replaceChildren();
  say(byId('sign'), token() ? 'Sign out' : 'Sign in');
  delete byId('login').dataset.asked;
  hideLogin();
  route(true);
  beginOverviews();
}

byId('login').addEventListener('submit', event => {
  event.preventDefault();
  if (!setToken(byId('token').value.trim())) return say(byId('login-why'), 'a token has printable characters alone, and no space');
  byId('token').value = '';
  beginAnew();
});

byId('sign').addEventListener('click', () => {
  if (token()) {
    forgetToken();
    return beginAnew();
  }
  // Asked for by the person: it stays although this node answers without a token, too.
  byId('login').dataset.asked = 'yes';
  showLogin('');
});

byId('skip').addEventListener('click', event => {
  event.preventDefault();
  byId('main').focus();
});

addEventListener('hashchange', () => route(true));
addEventListener('pagehide', () => context.history.save());
document.addEventListener('visibilitychange', () => document.hidden || beginOverviews());
route(false);
beginOverviews();
