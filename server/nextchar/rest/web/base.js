// Where the server is: a proxy may give it a path of its own, which only the address of this file tells.

const BASE = new URL("../../", import.meta.url); // this file is web/<digest>/base.js

export const origin = BASE.href.slice(0, -1);

// The address of a path of the API.
export const at = (path) => origin + path;

// The name under which something of this server is stored: pages of others may share the origin.
export const stored = (name) => (BASE.pathname === "/" ? name : `${name} ${BASE.pathname}`);
