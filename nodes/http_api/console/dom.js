// Elements, and words for numbers. Whatever is shown becomes text, never markup: names are a stranger's words.

// el('a', {href: '/', class: 'x', onclick: f}, 'text', other elements). Attributes that are null or false are left out.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  apply(element, attributes);
  element.append(...children.map(child => (child instanceof Node ? child : String(child))));
  return element;
}

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  apply(element, attributes);
  element.append(...children);
  return element;
}

function apply(element, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
}

// Puts `text` there if it says something else: a live region speaks when it is written, whatever it said before.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Replaces the children by `fresh` as far as they differ, so that what has the focus keeps it.
export function update(parent, fresh) {
  const old = [...parent.children];
  fresh.forEach((child, i) => {
    if (i >= old.length) parent.append(child);
    else if (!old[i].isEqualNode(child)) old[i].replaceWith(child);
  });
  old.slice(fresh.length).forEach(child => child.remove());
}

// `rows` into the table body, as far as they differ: a row's cells one by one.
function updateRows(body, rows) {
  const old = [...body.children];
  rows.forEach((row, i) => {
    if (i >= old.length) body.append(row);
    else if (old[i].children.length !== row.children.length) old[i].replaceWith(row);
    else if (!old[i].isEqualNode(row)) {
      for (const name of ['class', 'aria-label']) {
        const value = row.getAttribute(name);
        if (value === null) old[i].removeAttribute(name);
        else old[i].setAttribute(name, value);
      }
      update(old[i], [...row.children]);
    }
  });
  old.slice(rows.length).forEach(row => row.remove());
}

// A table whose rows become blocks on a narrow screen; the roles stand there because such a table has none.
// columns: [{label, number, sort: {direction, choose}}]; rows: [{class, cells: [text or element]}].
export class Table {
  // `kind` names its look: 'list' is short on a narrow screen, 'titled' has its caption as a heading above it.
  constructor(caption, columns, kind) {
    this.head = el('tr', {role: 'row'});
    this.body = el('tbody', {role: 'rowgroup'});
    this.element = el('table', {role: 'table', class: kind}, el('caption', {}, caption), el('thead', {role: 'rowgroup'}, this.head), this.body);
    this.setColumns(columns);
  }

  setColumns(columns) {
    this.columns = columns;
    update(this.head, columns.map(column => el('th', {
      role: 'columnheader', scope: 'col', class: column.number ? 'number' : null, 'aria-sort': column.sort ? column.sort.direction : null,
    }, column.sort ? el('button', {type: 'button', 'data-sort': column.sort.key}, column.label) : column.label)));
  }

  setRows(rows, none) {
    const fresh = rows.map(row => el('tr', {role: 'row', class: row.class}, ...row.cells.map((cell, i) => el('td', {
      role: 'cell', 'data-label': this.columns[i].label, class: this.columns[i].number ? 'number' : null,
    }, cell))));
    if (!rows.length) fresh.push(el('tr', {role: 'row', class: 'none'}, el('td', {role: 'cell', colspan: this.columns.length}, none)));
    updateRows(this.body, fresh);
  }
}

// [[term, description]] as a list of both. A description that is a long code has more room.
export function facts(pairs) {
  return pairs.map(([term, description]) => {
    const wide = description instanceof Node && description.textContent.length > 32;
    return el('div', {class: wide ? 'wide' : null}, el('dt', {}, term), el('dd', {}, description));
  });
}

export function bytes(count) {
  if (count === null || count === undefined) return 'not known';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  let value = count;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return (unit ? value.toFixed(1) : value) + ' ' + units[unit];
}

export const count = number => number.toLocaleString('en-US');
export const plural = (number, word) => count(number) + ' ' + word + (number === 1 ? '' : 's');
