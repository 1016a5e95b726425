// The page of the cluster: who leads, how far each member is, and the last hour.

import {bytes, count, el, facts, plural, say, Table, update} from './dom.js';
import {Charts} from './history.js';

const kColumns = [
  {label: 'Node'}, {label: 'Role'}, {label: 'Link'}, {label: 'Known chosen', number: true}, {label: 'Lag, slots', number: true},
  {label: 'Clients connect to'}, {label: 'Release'},
];

function roleOf(member, overview) {
  if (member.kind === 'learner') return 'learner';
  if (member.id === overview.status.node) return overview.status.role;
  return member.id === overview.cluster.leader ? 'leader' : 'follower';
}

const tag = (text, kind) => el('span', {class: 'tag ' + kind}, text);
// A forwarded port does not reach it; who is on the same network goes there.
const consoleOf = client => el('a', {href: `${location.protocol}//${client}/#/cluster`, rel: 'noreferrer'}, el('code', {}, client));
const known = value => (value === undefined ? '–' : count(value));

function rowOf(member, overview) {
  const self = member.id === overview.status.node;
  const role = roleOf(member, overview);
  return {
    class: self ? 'self' : null,
    cells: [
      member.id + (self ? ' (this node)' : ''),
      tag(role, role),
      self ? 'itself' : member.connected ? tag('up', 'good') : tag('down', 'bad'),
      known(member.chosen),
      known(member.lag),
      !member.client ? '–' : self ? el('code', {}, member.client) : consoleOf(member.client),
      member.program || 'not heard lately',
    ],
  };
}

function sentence({status, cluster}) {
  const led = cluster.leader === null ? 'no node is known to lead' : `node ${cluster.leader} leads`;
  const up = cluster.members.filter(member => member.connected).length;
  return `${status.has_quorum ? 'The cluster has a quorum' : 'No quorum: this node answers reads only'}; ${led}; ` +
      `this node reaches ${up} of ${plural(cluster.members.length, 'member')}.`;
}

function factsOf({status, cluster}) {
  return facts([
    ['Torrents', count(status.torrents)],
    ['Claims', count(status.claims)],
    ['Known chosen, applied', `${count(status.chosen)}, ${count(status.applied)}`],
    ['Ballot round', count(status.ballot_round)],
    ['Format level', `${status.level} (this node reads ${status.oldest_level} to ${status.newest_level})`],
    ['Registry digest', el('code', {}, status.registry_digest)],
    ['Cluster', el('code', {}, status.cluster)],
  ]);
}

function ownFacts({cluster: {own}}) {
  return facts([
    ['Disk free', el('span', {}, bytes(own.disk_free_bytes), own.disk_low ? tag('below the reserve', 'bad') : '')],
    ['Reserve', bytes(own.disk_reserve_bytes)],
    ['Journal', bytes(own.journal_bytes)],
    ['Newest snapshot', bytes(own.snapshot_bytes)],
    ['Memory', bytes(own.resident_bytes)],
    ['Client connections', count(own.connections)],
  ]);
}

export class ClusterPage {
  constructor(context) {
    this.title = 'Cluster';
    this.context = context;
    this.summary = el('p', {id: 'summary'}, 'Asking this node…');
    this.members = new Table('Members as this node knows them', kColumns);
    this.lagNote = el('p', {class: 'note'});
    this.facts = el('dl', {class: 'facts'});
    this.ownTitle = el('h2', {}, 'This node');
    this.own = el('dl', {class: 'facts'});
    this.charts = new Charts(context.history);
    this.elements = [
      el('h1', {tabindex: -1}, 'Cluster'), this.summary, this.members.element, this.lagNote, this.facts, this.ownTitle, this.own,
      el('h2', {}, 'The last hour'), el('p', {class: 'note'}, 'As seen by this page since it was opened, at most an hour.'), this.charts.element,
    ];
    this.onOverview();
  }

  onOverview() {
    const overview = this.context.overview;
    if (!overview) return;
    say(this.summary, sentence(overview));
    this.members.setRows(overview.cluster.members.map(member => rowOf(member, overview)), 'no members');
    say(this.lagNote, overview.status.role === 'leader' ? '' :
        'How far the others are is known to the leader: open its page to see it. Alarms name nodes whose disk has little room.');
    update(this.facts, factsOf(overview));
    say(this.ownTitle, `This node, ${overview.status.node}`);
    update(this.own, ownFacts(overview));
    this.charts.draw();
  }
}
