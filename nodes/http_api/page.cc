#include "nodes/http_api/page.h"

#include <string_view>

namespace bt::nodes {

namespace {

constexpr std::string_view kHead = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ByteTorrent tracker</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #1a7f37; --bad: #c0392b; --lead: #2563a8; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p.note { opacity: .7; margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: .85rem; opacity: .75; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font-size: .85em; }
.tag { display: inline-block; border-radius: .6rem; padding: 0 .55rem; font-size: .85rem; color: #fff; background: #777; }
.leader { background: var(--lead); } .follower { background: var(--good); } .down { background: var(--bad); }
#alarms { color: var(--bad); }
tr.self td { background: var(--soft); }
footer { margin-top: 2rem; opacity: .7; font-size: .85rem; }
</style>
</head>
)html";

constexpr std::string_view kBody = R"html(<body>
<h1>ByteTorrent tracker</h1>
<p class="note" id="summary">asking the cluster&hellip;</p>
<ul id="alarms"></ul>
<h2>Cluster</h2>
<table><thead><tr><th>node</th><th>role</th><th>clients connect to</th><th class="number">ballot</th>
<th class="number">chosen</th><th class="number">applied</th><th class="number">torrents</th><th class="number">claims</th>
<th>registry digest</th><th>release</th><th class="number">format level</th></tr></thead><tbody id="nodes"></tbody></table>
<h2>Torrents</h2>
<table><thead><tr><th>name</th><th class="number">size</th><th class="number">seeders</th><th class="number">others</th>
<th>content</th></tr></thead><tbody id="torrents"></tbody></table>
<footer><a href="/status">status</a> &middot; <a href="/torrents">torrents</a> &middot; <a href="/metrics">metrics</a>
&middot; <a href="/readyz">health</a></footer>
)html";

constexpr std::string_view kScript = R"html(<script>
const byId = id => document.getElementById(id);
function cell(row, text, kind) {
  const td = document.createElement('td');
  if (kind) td.className = kind;
  if (text instanceof Node) td.append(text); else td.textContent = text;
  row.append(td);
}
function element(name, text, kind) {
  const e = document.createElement(name);
  e.textContent = text;
  if (kind) e.className = kind;
  return e;
}
function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (bytes >= 1024 && unit < 4) { bytes /= 1024; unit++; }
  return (unit ? bytes.toFixed(1) : bytes) + ' ' + units[unit];
}
async function ask(url) {
  const answer = await fetch(url, {signal: AbortSignal.timeout(2000)});
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
}
function urlOf(node) {
  return location.protocol + '//' + node.client;
}
async function refresh() {
  let self;
  try { self = await ask('/status'); } catch (e) {
    byId('summary').textContent = e.message === '401'
        ? 'this node tells nothing without a token, and this page has none to show: bytetorrent status --token-file'
        : 'this node does not answer';
    return;
  }
  byId('summary').textContent = 'node ' + self.node + ' of ' + self.members.length + ', ' +
      (self.has_quorum ? 'the cluster has a quorum' + (self.leader === null ? '' : ', led by node ' + self.leader)
                       : 'no quorum: reads only');
  const listed = self.nodes.some(node => node.id === self.node);
  const others = listed ? self.nodes : [{id: self.node, client: location.host}, ...self.nodes];
  const states = await Promise.all(others.map(async node => {
    if (node.id === self.node) return {node, status: self};
    try { return {node, status: await ask(urlOf(node) + '/status')}; } catch (e) { return {node, status: null}; }
  }));
  // What is agreed is the same at all nodes, and is told once.
  const alarms = new Set(states.flatMap(({status}) => status ? status.alarms.map(alarm => alarm.text) : []));
  byId('alarms').replaceChildren(...[...alarms].map(text => element('li', text)));
  const rows = states.map(({node, status}) => {
    const row = document.createElement('tr');
    if (node.id === self.node) row.className = 'self';
    cell(row, node.id);
    cell(row, element('span', status ? status.role : 'no answer', 'tag ' + (status ? status.role : 'down')));
    const link = element('a', node.client);
    link.href = urlOf(node);
    cell(row, link);
    for (const key of ['ballot_round', 'chosen', 'applied', 'torrents', 'claims']) cell(row, status ? status[key] : '', 'number');
    cell(row, status ? element('code', status.registry_digest) : '');
    cell(row, status ? status.version : '');
    cell(row, status ? status.level + ' (reads ' + status.oldest_level + ' to ' + status.newest_level + ')' : '', 'number');
    return row;
  });
  byId('nodes').replaceChildren(...rows);
  const list = await ask('/torrents?limit=100');
  const torrents = list.torrents.map(torrent => {
    const row = document.createElement('tr');
    const link = element('a', torrent.name);
    link.href = '/torrents/' + torrent.content;
    cell(row, link);
    cell(row, size(torrent.length), 'number');
    cell(row, torrent.complete, 'number');
    cell(row, torrent.incomplete, 'number');
    cell(row, element('code', torrent.content.slice(0, 16) + '…'));
    return row;
  });
  if (!torrents.length) {
    const row = document.createElement('tr');
    cell(row, 'none registered yet');
    torrents.push(row);
  }
  byId('torrents').replaceChildren(...torrents);
}
async function again() {
  try { await refresh(); } catch (e) { byId('summary').textContent = 'this node does not answer'; }
  setTimeout(again, 2000);
}
again();
</script>
</body>
</html>
)html";

}  // namespace

std::string PageHtml() {
  std::string page;
  for (const std::string_view part : {kHead, kBody, kScript}) page.append(part);
  return page;
}

}  // namespace bt::nodes
