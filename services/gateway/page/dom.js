// Elements out of data: text is always set as text, never parsed as markup.

// `h("a.title", { href: "/" }, "text", child)`; a property that is a function is
// an event handler, one with a dash an attribute. False children are left out.
export function h(kind, properties = {}, ...children) {
  const [name, ...classes] = kind.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role" || key === "for")
      element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child || child === 0));
  return element;
}

export const byId = (id) => document.getElementById(id);

// Writes only what differs, so that a stream of changes costs no layout.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
