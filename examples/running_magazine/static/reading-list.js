// The reading list: likes, kept in this browser. Pages carry this file only while "social" is allowed.
"use strict";

(() => {
  const KEY = "reading-list";
  const KEPT = 182 * 24 * 3600 * 1000; // six months, as the cookie policy says

  const read = () => {
    try {
      const list = JSON.parse(localStorage.getItem(KEY) || "[]");
      const fresh = (item) => item.at > Date.now() - KEPT;
      return list.filter((item) => fresh(item) && /^\/[a-z]/.test(item.path) && typeof item.title === "string");
    } catch {
      return [];
    }
  };

  const write = (list) => {
    try {
      if (list.length) localStorage.setItem(KEY, JSON.stringify(list.slice(-50)));
      else localStorage.removeItem(KEY);
    } catch {
      // Storage is full or closed; the list then lasts as long as the page.
    }
  };

  for (const button of document.querySelectorAll("button[data-like]")) {
    const path = button.dataset.like;
    const show = () => button.setAttribute("aria-pressed", String(read().some((item) => item.path === path)));
    button.addEventListener("click", () => {
      const others = read().filter((item) => item.path !== path);
      const liked = button.getAttribute("aria-pressed") === "true";
      write(liked ? others : [...others, { path, title: button.dataset.title, at: Date.now() }]);
      show();
    });
    show();
    button.hidden = false;
  }

  for (const section of document.querySelectorAll("[data-reading-list]")) {
    const list = read();
    for (const { path, title } of list.reverse()) {
      const link = document.createElement("a");
      link.href = path;
      link.textContent = title;
      const item = document.createElement("li");
      item.append(link);
      section.querySelector("ul").append(item);
    }
    section.hidden = list.length === 0;
  }
})();
