// Which pieces peers have: read from the answers of /peers, counted, and drawn as bars.

import {svg} from './dom.js';

const kBarCells = 200;
const kShades = 4;

// [[first, count], ...] of one peer of the answer (docs/http_api.md, "Shapes").
export function rangesOf(peer, pieceCount) {
  if (peer.complete) return [[0, pieceCount]];
  if (peer.pieces) return peer.pieces;
  return peer.bitfield ? rangesOfBits(atob(peer.bitfield), pieceCount) : [];
}

function rangesOfBits(bits, pieceCount) {
  const ranges = [];
  let first = -1;
  for (let piece = 0; piece <= pieceCount; piece++) {
    const has = piece < pieceCount && (bits.charCodeAt(piece >> 3) >> (7 - (piece & 7))) & 1;
    if (has && first < 0) first = piece;
    if (!has && first >= 0) {
      ranges.push([first, piece - first]);
      first = -1;
    }
  }
  return ranges;
}

export const countOf = ranges => ranges.reduce((sum, [, count]) => sum + count, 0);

// How many of `lists` (of ranges) hold each piece: the fewest, and the ranges of pieces that at least one holds.
export function copies(lists, pieceCount) {
  const steps = new Int32Array(pieceCount + 1);
  for (const ranges of lists) {
    for (const [first, count] of ranges) {
      steps[first]++;
      steps[first + count]--;
    }
  }
  let held = 0;
  let fewest = Infinity;
  const some = [];
  for (let piece = 0; piece < pieceCount; piece++) {
    held += steps[piece];
    fewest = Math.min(fewest, held);
    if (held === 0) continue;
    const last = some[some.length - 1];
    if (last && last[0] + last[1] === piece) last[1]++;
    else some.push([piece, 1]);
  }
  return {fewest: pieceCount ? fewest : 0, some};
}

// How much of each cell of the bar `ranges` cover, 0 to 1.
function coverage(ranges, pieceCount) {
  const cells = new Float64Array(kBarCells);
  for (const [first, count] of ranges) {
    const begin = first * kBarCells / pieceCount;
    const end = (first + count) * kBarCells / pieceCount;
    for (let cell = Math.floor(begin); cell < Math.min(kBarCells, end); cell++) {
      cells[cell] += Math.min(end, cell + 1) - Math.max(begin, cell);
    }
  }
  return cells;
}

// A picture of `ranges` in one line; `label` says the same in words.
export function bar(ranges, pieceCount, label) {
  const cells = coverage(ranges, pieceCount);
  const shadeOf = cell => (cells[cell] > 0.999 ? kShades : cells[cell] > 0 ? Math.max(1, Math.floor(cells[cell] * kShades)) : 0);
  const paths = Array(kShades + 1).fill('');
  for (let cell = 0, next; cell < kBarCells; cell = next) {
    const shade = shadeOf(cell);
    next = cell + 1;
    while (next < kBarCells && shadeOf(next) === shade) next++;
    if (shade) paths[shade] += `M${cell} 0h${next - cell}v1h-${next - cell}z`;
  }
  return svg('svg', {class: 'bar', viewBox: `0 0 ${kBarCells} 1`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label},
    ...paths.map((d, shade) => svg('path', {d, 'fill-opacity': shade / kShades})).filter(path => path.getAttribute('d')));
}
