// What the tab keeps. Where the browser lets the page keep nothing, its memory does, until a reload.
const memory = new Map();

export function kept(name) {
  if (memory.has(name)) return memory.get(name);
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

export function keep(name, text) {
  try {
    sessionStorage.setItem(name, text);
    memory.delete(name);
  } catch {
    memory.set(name, text); // storage is switched off, or full
  }
}

export function forget(name) {
  memory.delete(name);
  try {
    sessionStorage.removeItem(name);
  } catch {
    // There is nothing to remove.
  }
}

export function keptJson(name) {
  try {
    return JSON.parse(kept(name));
  } catch {
    return null;
  }
}
