// Requests to the node that has served this page, with the token that the person has typed. The token is kept in
// sessionStorage: it ends with the tab, and no page of another origin reads it.

const kTokenKey = 'bytetorrent.token';
const kPatienceMs = 8000;

// The node's refusal, or that there was no answer (status 0).
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
  get wantsToken() {
    return this.status === 401 || this.status === 403;
  }
}

export const token = () => sessionStorage.getItem(kTokenKey);

// False: such a token cannot be sent.
export function setToken(text) {
  if (!/^[\x21-\x7e]+$/.test(text)) return false;
  sessionStorage.setItem(kTokenKey, text);
  return true;
}

export const forgetToken = () => sessionStorage.removeItem(kTokenKey);

async function reasonOf(response) {
  try {
    return (await response.json()).error || response.statusText;
  } catch {
    return response.statusText;
  }
}

// The answer read by `read`, within kPatienceMs or until `signal` is aborted.
async function ask(path, signal, read) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, kPatienceMs);
  if (signal) signal.addEventListener('abort', abort);
  try {
    const shown = token();
    const headers = shown ? {Authorization: 'Bearer ' + shown} : {};
    const response = await fetch(path, {headers, signal: controller.signal, cache: 'no-store', redirect: 'error'});
    if (!response.ok) throw new Refused(response.status, await reasonOf(response));
    return await read(response);
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(0, 'this node does not answer');
  } finally {
    clearTimeout(timer);
    if (signal) signal.removeEventListener('abort', abort);
  }
}

export const askJson = (path, signal) => ask(path, signal, response => response.json());
export const askBytes = (path, signal) => ask(path, signal, response => response.blob());
