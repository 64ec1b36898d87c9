// The two libraries of the page, joined: `html` makes elements of templates, `render` puts them into the document.
import htm from "../vendor/htm.js";
import { h, render } from "../vendor/preact.js";

export const html = htm.bind(h);
export { render };
